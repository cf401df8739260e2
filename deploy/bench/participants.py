"""Participants of `fluvial bench aggregate`, one or many in a process: real downloads, uploads, envelopes; no training.

The process talks in lines. Out, JSON: {"event": ..., "round": ..., "time": seconds since the epoch}, each event once
for every participant: ready, uploaded, published; and failed, with a message. uploaded also says when the base model
was verified ("downloaded") and the upload began ("uploading"), because a process that shares the cores reads each line.
In: "start" after ready; and with --hold one "publish" for each round, for which the envelopes wait, so that uploading
and aggregating can be measured apart. After the last round it ends when its standard input does.

Participants of one process share its connection and follow rounds together, as those of one gateway would. Each has its
own key and outbox, and a thread; `--at-once` of them upload at a time, and the others wait for their turn.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fluvial.edge import Participant, connect
from fluvial.edge.events import ChunkAcknowledged, Event
from fluvial.edge.rounds import RoundFollower
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Transport
from fluvial.wire.records import Round, RoundStatus

_BLOCK = 1 << 20
_POLL_SECONDS = 5.0  # it ends as soon as there is something
_printing = threading.Lock()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--federation", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="holds NAME.pem; takes outboxes and updates")
    parser.add_argument("--names", required=True, help="separated by commas")
    parser.add_argument("--task", required=True)
    parser.add_argument("--elements", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--hold", action="store_true")
    arguments = parser.parse_args()
    federation = Federation.load(arguments.federation)
    names = arguments.names.split(",")
    with ExitStack() as ends:
        transport = connect(federation.brokers, f"fluvial-bench-{names[0]}")
        ends.callback(transport.close)
        participants = [
            ends.enter_context(_participant(federation, name, arguments.folder, transport)) for name in names
        ]
        deltas = [random_delta(arguments.folder / f"{name}.delta", name, arguments.elements) for name in names]
        threads = ends.enter_context(ThreadPoolExecutor(len(names)))
        group = Group(threads, participants, deltas, at_once=arguments.at_once, hold=arguments.hold)
        for _ in names:
            report("ready", 0)
        wait_for("start")
        for round_ in open_rounds(transport, federation, arguments.task, arguments.rounds):
            group.contribute(round_)
        # Its end takes a tenth of a second of processor time, which is no part of the last round.
        sys.stdin.read()


class Group:
    """The participants of this process."""

    def __init__(
        self,
        threads: ThreadPoolExecutor,
        participants: list[Participant],
        deltas: list[npt.NDArray[np.float32]],
        *,
        at_once: int,
        hold: bool,
    ) -> None:
        self._threads = threads
        self._participants = participants
        self._deltas = deltas
        self._turns = threading.Semaphore(at_once)
        self._hold = hold

    def contribute(self, round_: Round) -> None:
        """An update of every participant; each attempt's is the same random one. Raises what one of them raises."""
        released = threading.Event()
        if not self._hold:
            released.set()
        done = [
            self._threads.submit(self._publish, participant, delta_D, round_, released)
            for participant, delta_D in zip(self._participants, self._deltas, strict=True)
        ]
        try:
            if self._hold:
                wait_for("publish")
        finally:
            released.set()
        for each in done:
            each.result()

    def _publish(
        self, participant: Participant, delta_D: npt.NDArray[np.float32], round_: Round, released: threading.Event
    ) -> None:
        try:
            self._take_turn(participant, delta_D, round_, released)
        except Exception as error:
            report("failed", round_.round, message=f"{participant.name}: {type(error).__name__}: {error}")
            raise

    def _take_turn(
        self, participant: Participant, delta_D: npt.NDArray[np.float32], round_: Round, released: threading.Event
    ) -> None:
        """The turn ends with the upload, so that whoever waits to be released keeps nobody from uploading."""
        with ExitStack() as turn:
            turn.enter_context(self._turns)
            participant.base_model(round_)
            downloaded = time.time()

            def on_event(event: Event) -> None:
                if isinstance(event, ChunkAcknowledged) and event.num_acknowledged == event.num_chunks:
                    report("uploaded", round_.round, downloaded=downloaded, uploading=uploading)
                    turn.close()
                    released.wait()

            uploading = time.time()
            participant.publish(round_, delta_D, weight=1, on_event=on_event)
        report("published", round_.round)


def open_rounds(transport: Transport, federation: Federation, task: str, num_rounds: int) -> Iterator[Round]:
    """The task's next rounds, each attempt once, up to the round of that number."""
    follower = RoundFollower(transport, federation)
    try:
        follower.refresh()
        handled: Round | None = None
        while handled is None or handled.round < num_rounds:
            newest = follower.newest(task)
            if newest is not None and newest is not handled and newest.status is RoundStatus.OPEN:
                yield newest
                handled = newest
            else:
                follower.poll(_POLL_SECONDS)
    finally:
        follower.close()


def random_delta(path: Path, name: str, num_elements: int) -> npt.NDArray[np.float32]:
    """float32[D] of small normal numbers, another one for each name; in a file, so that it takes no memory for long."""
    generator = np.random.default_rng(int.from_bytes(name.encode()))
    with path.open("wb") as file:
        for first in range(0, num_elements, _BLOCK):
            block = generator.standard_normal(min(_BLOCK, num_elements - first), np.float32) * np.float32(1e-3)
            file.write(block.data)
    return np.memmap(path, np.float32, mode="r")


def _participant(federation: Federation, name: str, folder: Path, transport: Transport) -> Participant:
    key = SigningKey.load(folder / f"{name}.pem")
    # The benchmark's job has no stage audit.
    return Participant(federation, name, key, folder / f"{name}.sqlite", transport, proven=False)


def report(event: str, round_number: int, **more: str | float) -> None:
    line = {"event": event, "round": round_number, "time": time.time(), **more}
    with _printing:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def wait_for(command: str) -> None:
    """Ends the process quietly when the other side has gone."""
    line = sys.stdin.readline()
    if line.strip() != command:
        raise SystemExit(0 if not line else f"expected {command}, not {line!r}")


if __name__ == "__main__":
    main()
