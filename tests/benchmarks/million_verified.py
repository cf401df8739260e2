"""Memory and time of auditing everything that a log of a million leaves vouches for.

    python -m tests.benchmarks.million_verified [--leaves 1000000] [--participants 1000] [--folder DIR]

An honest federation: in each round every participant sends a signed update, which has a verdict, a leaf, a receipt and
its leaf; each tenth sends a forged one too. A checkpoint is signed for each round. The topics lie in files, from which
`audit verify`, `audit verify --since`, `audit verify --state` and `audit check-history` read them, each in a process of
its own. What --state goes on from was kept at the checkpoint that --since goes on from. Reading from a broker is left
out.
"""

from __future__ import annotations

import argparse
import json
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from fluvial.auditor.check_history import check_history
from fluvial.auditor.kept_log import KeptLog
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.verify import verify
from fluvial.identity.federation import Federation
from fluvial.transparency.event import Recorded
from fluvial.wire.records import Decision, RoundTransition
from tests.unit.fluvial.auditor.world import World

_PENDING_MS = 60_000
"""For --since. Of this federation a day has more leaves than are written here."""
_HEAD = struct.Struct(">iqqii")


class WrittenWorld(World):
    """Whose topics are files. The topic rounds is compacted: its newest record is there alone."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._files: dict[str, BinaryIO] = {}
        self._next: dict[tuple[str, int], int] = {}
        self.num_leaves = 0

    def append(self, topic: str, value: bytes, key: bytes = b"", *, partition: int = 0, step: int = 1) -> TopicRecord:
        self.now_ms += 10
        offset = self._next.get((topic, partition), 0)
        self._next[topic, partition] = offset + step
        record = TopicRecord(topic, partition, offset, self.now_ms, key, value)
        if topic not in self._files:
            self._files[topic] = (self._folder / topic).open("wb")
        file = self._files[topic]
        if topic == self.topics.rounds:
            file.seek(0)
            file.truncate()
        file.write(_HEAD.pack(partition, offset, self.now_ms, len(key), len(value)) + key + value)
        return record

    def event(self, record: Recorded) -> None:
        super().event(record)
        self.sequence()
        self.num_leaves += 1

    def flush(self) -> None:
        """All is there for another process."""
        for file in self._files.values():
            file.flush()
        (self._folder / "federation.json").write_text(self.federation.to_json())
        (self._folder / "now").write_text(str(self.now_ms))


class WrittenTopics:
    """A TopicReader of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin_offsets(self, topic: str) -> Mapping[int, int]:
        return {0: 0}

    def records(self, topic: str, since_ms: int = 0) -> Iterator[TopicRecord]:
        path = self._folder / topic
        if not path.exists():
            return
        with path.open("rb") as file:
            while head := file.read(_HEAD.size):
                partition, offset, time_ms, key, value = _HEAD.unpack(head)
                if time_ms < since_ms:
                    file.seek(key + value, 1)
                else:
                    yield TopicRecord(topic, partition, offset, time_ms, file.read(key), file.read(value))


def write(folder: Path, num_leaves: int, num_participants: int) -> None:
    """The topics, and federation.json."""
    world = WrittenWorld(folder)
    names = [f"participant-{number}" for number in range(num_participants)]
    for name in names:
        world.enrol(name)
    world.publish(0, {})
    round_ = 0
    while world.num_leaves < num_leaves:
        round_ += 1
        world.open_round(round_)
        updates = {name: world.update(name, round_) for name in names}
        for number, (name, record) in enumerate(updates.items()):
            world.judge(record, name, round_)
            if number % 10 == 0:
                forged = world.append(world.topics.updates, b"forged", name.encode())
                world.judge(forged, name, 0, Decision.REJECT)
        world.publish(round_, updates)
        world.transition(round_, RoundTransition.CLOSED)
        for name in names:
            world.answer(name, round_)
        world.sign()
        if round_ % max(1, 9 * num_leaves // (10 * (2 * num_participants + 3))) == 0:
            (folder / "known").write_bytes(world.sign())
            world.flush()
            _in_a_process(folder, "keep")
    world.flush()


def measure(folder: Path, what: str) -> None:
    """Prints a line of JSON."""
    federation = Federation.load(folder / "federation.json")
    before, began = _peak_mib(), time.process_time()
    if what == "check-history":
        history = check_history(WrittenTopics(folder), federation)
        good, leaves = not history.violations, history.leaves
    else:
        now_ms = int((folder / "now").read_text())
        since = (folder / "known").read_bytes() if what == "verify-since" else None
        with KeptLog(folder / "state", federation) if what in ("keep", "verify-state") else nullcontext() as kept:
            topics, limits = WrittenTopics(folder), {"now_ms": now_ms, "max_pending_ms": _PENDING_MS}
            report = verify(topics, federation, since=since, kept=kept, **limits)
        good, leaves = report.verified, report.size
    seconds = time.process_time() - began
    found = {"leaves": leaves, "processor_seconds": round(seconds, 1), "leaves_per_second": round(leaves / seconds)}
    memory = {"memory_before_mib": before, "peak_memory_mib": _peak_mib()}
    print(json.dumps({"what": what, "good": good, **found, **memory}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=1_000_000)
    parser.add_argument("--participants", type=int, default=1_000)
    parser.add_argument("--folder", type=Path, help="Where the topics are kept, and found the next time.")
    parser.add_argument("--measure", help="verify, verify-since, verify-state, check-history: of topics there.")
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.folder, arguments.measure)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "now").exists():
            write(folder, arguments.leaves, arguments.participants)
        for what in ("verify", "verify-since", "verify-state", "check-history"):
            _in_a_process(folder, what)


def _in_a_process(folder: Path, what: str) -> None:
    command = [sys.executable, "-m", __spec__.name, "--folder", str(folder), "--measure", what]
    subprocess.run(command, check=True)


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


if __name__ == "__main__":
    main()
