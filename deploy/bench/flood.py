"""`fluvial bench flood`: what honest participants feel of a flood.

Honest updates come at a steady rate, first alone and then while one participant and one stranger send junk as fast as
the broker takes it (`deploy.bench.flooder`), in one run. A latency is the time from an update in the log to its verdict
in the log, by the broker's clock, and so holds the wait for the job's checkpoint.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from deploy.bench.load import Load
from deploy.bench.seeding import announce, register
from deploy.jobs.submission import LocalJob, Submission
from deploy.local.stack import Stack
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Position, Reader, Transport, connect
from fluvial.wire.errors import DecodeError
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import Verdict

FLOODER = "flooder"
_STARTED_SECONDS = 180.0
_WARMING = 50
"""Updates before the first that is measured: whatever is compiled and read is by then."""


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
        federation, keys = stack.federation, stack.keys
        transport = connect(federation.brokers, "fluvial-bench")
        ends.callback(transport.close)
        load = Load.of(_WARMING + 2 * count, closing=False)
        flooder = SigningKey.generate()
        register(transport, federation.topics, keys, {**load.participants, FLOODER: flooder})
        announce(transport, federation.topics, keys, load.tasks, load.rounds)
        verdicts = Verdicts(transport.read(federation.topics.verdicts))
        ends.callback(verdicts.close)
        report("starting the job (validation)")
        submission = Submission(stages=("validation",), name="bench", parallelism=parallelism)
        job = ends.enter_context(LocalJob(stack.directory, submission))
        job.wait_until_running()
        updates = load.envelopes(federation.topics.scope)
        sent = send(transport, federation.topics.updates, islice(updates, _WARMING), per_second)
        if len(verdicts.of(sent, _STARTED_SECONDS)) < _WARMING:
            raise TimeoutError("validation has judged nothing")
        flooders = [
            ends.enter_context(_Flooder(directory, stack.directory.federation_file, load, name, key, seconds))
            for name, key in ((FLOODER, flooder), ("stranger", None))
        ]
        report(f"{count} honest updates at {per_second} a second, alone")
        measure = partial(_phase, transport, federation.topics.updates, per_second, verdicts, patience_seconds)
        quiet = measure(islice(updates, count))
        report("and again, in a flood")
        for each in flooders:
            each.start()
        flooded = measure(islice(updates, count))
        return {
            "per_second": per_second,
            "seconds": seconds,
            "parallelism": parallelism,
            "quiet": quiet,
            "flooded": flooded,
            "junk": {each.name: each.result() for each in flooders},
        }


def _phase(
    transport: Transport,
    topic: str,
    per_second: int,
    verdicts: Verdicts,
    patience_seconds: float,
    updates: Iterator[tuple[str, bytes]],
) -> dict[str, float]:
    sent = send(transport, topic, updates, per_second)
    return figures(sent, verdicts.of(sent, patience_seconds))


def send(transport: Transport, topic: str, updates: Iterator[tuple[str, bytes]], per_second: int) -> list[Position]:
    """Send at a steady rate; where they lie in the log."""
    pending: list[Future[Position]] = []
    begin = time.monotonic()
    for number, (name, raw) in enumerate(updates):
        time.sleep(max(0.0, begin + number / per_second - time.monotonic()))
        pending.append(transport.produce(topic, raw, key=name.encode()))
    return [each.result(60.0) for each in pending]


def figures(sent: Sequence[Position], latencies_ms: Sequence[int]) -> dict[str, float]:
    """Verdicts per second, from the first update to the last verdict in it, and their latencies in milliseconds. Those
    that did not come in time count as infinitely late. latencies_ms: in the order of `sent`, without those."""
    missing = len(sent) - len(latencies_ms)
    ordered = sorted(latencies_ms) + [-1] * missing
    span_ms = max(sent[-1].timestamp_ms - sent[0].timestamp_ms, 1)
    in_time = sum(latency <= span_ms for latency in latencies_ms)
    return {
        "updates": len(sent),
        "judged": len(latencies_ms),
        "per_second": round(1000.0 * in_time / span_ms, 1),
        "p50_ms": _percentile(ordered, 50),
        "p99_ms": _percentile(ordered, 99),
    }


def _percentile(ordered: Sequence[int], percent: int) -> float:
    """Nearest rank; -1, which stands for never, is the largest."""
    return float(ordered[max(0, -(-len(ordered) * percent // 100) - 1)])


class Verdicts:
    """The broker's times of verdicts, by where their updates lie."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._times: dict[tuple[int, int], int] = {}

    def of(self, sent: Sequence[Position], timeout: float) -> list[int]:
        """Latencies in milliseconds of those that come before the timeout."""
        places = [(each.partition, each.offset) for each in sent]
        deadline = time.monotonic() + timeout
        while not all(place in self._times for place in places) and time.monotonic() < deadline:
            for message in self._reader.poll(0.5):
                try:
                    verdict = decode(message.value or b"", Verdict)
                except DecodeError:
                    continue
                self._times.setdefault((verdict.source_partition, verdict.source_offset), message.timestamp_ms)
        found = ((self._times.get(place), each) for place, each in zip(places, sent, strict=True))
        return [at_ms - each.timestamp_ms for at_ms, each in found if at_ms is not None]

    def close(self) -> None:
        self._reader.close()


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

    def start(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("start\n")
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
