"""`fluvial bench flood`: what honest participants feel of a flood.

Honest updates come at a steady rate, in one run: alone, while one participant and one stranger send junk as fast as
the broker takes it (`deploy.bench.flooder`) to a topic that nobody reads, and while they send it to the updates. The
second is what the machine leaves beside flooders that run on it, too; its difference to the third is the job's. A
latency is the time from an update in the log, by the broker's clock, until a reader of committed records has its
verdict, and so holds the job's checkpoint; `written` is told beside it, which does not.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from deploy.bench.load import Load
from deploy.bench.seeding import announce, register
from deploy.broker.topics import create_topics
from deploy.jobs.submission import LocalJob, Submission
from deploy.local.stack import Stack
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Position, Reader, Transport, connect
from fluvial.wire.errors import DecodeError
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import Verdict
from fluvial.wire.topics import Topics, TopicSettings

FLOODER = "flooder"
PHASES = ("quiet", "beside", "flooded")
_STARTED_SECONDS = 180.0
_WARMING = 50
"""Updates before the first that is measured: whatever is compiled and read is by then."""
_POLL_SECONDS = 0.2
_SETTLE_SECONDS = 2.0


def run(
    directory: Path,
    *,
    per_second: int,
    seconds: int,
    parallelism: int = 1,
    patience_seconds: float = 60.0,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure in a directory. patience_seconds: how long after a phase its verdicts count. Returns what `--json`
    prints. Raises TimeoutError where no verdict comes at all."""
    count = per_second * seconds
    with ExitStack() as ends:
        report("starting the broker")
        stack = ends.enter_context(Stack(directory / "stack", partitions=4))
        federation, keys, topics = stack.federation, stack.keys, stack.federation.topics
        unread = f"{topics.updates}-unread"
        create_topics(federation.brokers, [_like_updates(topics, unread)])
        transport = connect(federation.brokers, "fluvial-bench")
        ends.callback(transport.close)
        load = Load.of(_WARMING + len(PHASES) * count, closing=False)
        flooder = SigningKey.generate()
        register(transport, topics, keys, {**load.participants, FLOODER: flooder})
        announce(transport, topics, keys, load.tasks, load.rounds)
        verdicts = ends.enter_context(Verdicts(transport.read(topics.verdicts)))
        report("starting the job (validation)")
        submission = Submission(stages=("validation",), name="bench", parallelism=parallelism)
        job = ends.enter_context(LocalJob(stack.directory, submission))
        job.wait_until_running()
        updates = load.envelopes(topics.scope)
        sent = send(transport, topics.updates, islice(updates, _WARMING), per_second)
        if len(verdicts.of(sent, _STARTED_SECONDS)) < _WARMING:
            raise TimeoutError("validation has judged nothing")
        flooders = [
            ends.enter_context(_Flooder(directory, stack.directory.federation_file, load, name, key, seconds))
            for name, key in ((FLOODER, flooder), ("stranger", None))
        ]
        result: dict[str, Any] = {"per_second": per_second, "seconds": seconds, "parallelism": parallelism, "junk": {}}
        for phase, junk_to in zip(PHASES, ("", unread, topics.updates), strict=True):
            report(f"{count} honest updates at {per_second} a second: {phase}")
            time.sleep(_SETTLE_SECONDS)
            for each in flooders if junk_to else ():
                each.start(junk_to)
            sent = send(transport, topics.updates, islice(updates, count), per_second)
            result[phase] = figures(sent, verdicts.of(sent, patience_seconds))
            if junk_to:
                result["junk"][phase] = {each.name: each.result() for each in flooders}
        return result


def _like_updates(topics: Topics, name: str) -> TopicSettings:
    like = next(each for each in topics.all_settings() if each.name == topics.updates)
    return replace(like, name=name)


def send(transport: Transport, topic: str, updates: Iterator[tuple[str, bytes]], per_second: int) -> list[Position]:
    """Send at a steady rate; where they lie in the log."""
    pending: list[Future[Position]] = []
    begin = time.monotonic()
    for number, (name, raw) in enumerate(updates):
        time.sleep(max(0.0, begin + number / per_second - time.monotonic()))
        pending.append(transport.produce(topic, raw, key=name.encode()))
    return [each.result(60.0) for each in pending]


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict: when it was written, and when it was committed and seen, in milliseconds after its update was."""

    written_ms: int
    seen_ms: int


def figures(sent: Sequence[Position], judged: Sequence[Judged]) -> dict[str, float]:
    """Verdicts per second, from the first update to the last verdict in it, and their latencies in milliseconds. Those
    that did not come in time count as infinitely late. judged: in the order of `sent`, without those."""
    missing = len(sent) - len(judged)
    seen = sorted(each.seen_ms for each in judged) + [-1] * missing
    written = sorted(each.written_ms for each in judged) + [-1] * missing
    span_ms = max(sent[-1].timestamp_ms - sent[0].timestamp_ms, 1)
    return {
        "updates": len(sent),
        "judged": len(judged),
        "per_second": round(1000.0 * sum(0 <= each <= span_ms for each in seen) / span_ms, 1),
        "p50_ms": _percentile(seen, 50),
        "p99_ms": _percentile(seen, 99),
        "written_p50_ms": _percentile(written, 50),
        "written_p99_ms": _percentile(written, 99),
    }


def _percentile(ordered: Sequence[int], percent: int) -> float:
    """Nearest rank; -1, which stands for never, is the largest."""
    return float(ordered[max(0, -(-len(ordered) * percent // 100) - 1)])


class Verdicts:
    """Reads verdicts as they come, in a thread of its own: when each was written and when it was here, by where its
    update lies. A context manager."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._times: dict[tuple[int, int], tuple[int, int]] = {}
        self._news = threading.Condition()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, name="verdicts", daemon=True)

    def __enter__(self) -> Verdicts:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        self._reader.close()

    def _read(self) -> None:
        while not self._ended.is_set():
            messages = self._reader.poll(_POLL_SECONDS)
            now_ms = int(time.time() * 1000)
            for message in messages:
                try:
                    verdict = decode(message.value or b"", Verdict)
                except DecodeError:
                    continue
                place = verdict.source_partition, verdict.source_offset
                self._times.setdefault(place, (message.timestamp_ms, now_ms))
            with self._news:
                self._news.notify_all()

    def of(self, sent: Sequence[Position], timeout: float) -> list[Judged]:
        """Of those that come before the timeout."""
        places = [(each.partition, each.offset) for each in sent]
        with self._news:
            self._news.wait_for(lambda: all(place in self._times for place in places), timeout)
        found = ((self._times.get(place), each.timestamp_ms) for place, each in zip(places, sent, strict=True))
        return [Judged(times[0] - at_ms, times[1] - at_ms) for times, at_ms in found if times is not None]


class _Flooder:
    """One process of `deploy.bench.flooder`. A context manager."""

    def __init__(
        self, directory: Path, federation: Path, load: Load, name: str, key: SigningKey | None, seconds: int
    ) -> None:
        self.name = name
        round_file = directory / f"{name}.round"
        round_file.write_bytes(encode(load.rounds[0]))
        command = [sys.executable, "-m", "deploy.bench.flooder", "--federation", str(federation)]
        command += ["--round", str(round_file), "--name", name, "--seconds", str(seconds)]
        if key is not None:
            key_file = directory / f"{name}.pem"
            key.save(key_file)
            command += ["--key", str(key_file)]
        self._command = command

    def __enter__(self) -> _Flooder:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._process.stdout.readline()
        return self

    def start(self, topic: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{topic}\n")
        self._process.stdin.flush()

    def result(self) -> dict[str, int]:
        """Records and bytes that it brought into the log."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return dict(json.loads(line)) if line else {"records": 0, "bytes": 0}

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
