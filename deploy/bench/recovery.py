"""`fluvial bench recovery`: how long stages need that start from the log alone.

The log is written first: updates, their verdicts, receipts of all but the last of them, the event of each, and the
leaves, which the audit stage makes. Then validation, aggregation and audit start as one job without any state, once in
a federation whose log is empty and once here; the difference is what reading the log costs.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from deploy.bench.load import Load
from deploy.bench.seeding import announce, register, wait
from deploy.bench.usage import Usage, java_child
from deploy.jobs.submission import LocalJob, Submission
from deploy.local.stack import Stack
from deploy.machine.errors import start_error
from fluvial.identity.brokers import Brokers
from fluvial.kafka import Message, Position, Reader, connect
from fluvial.kafka.librdkafka import clients
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import Decision, Outcome, Reason, Receipt, Verdict
from governance.audit.events import audit_event, verdict_event
from pipelines.flink.stage_mac import StageMac

STAGES = ("validation", "aggregation", "audit")

_ACKNOWLEDGED_SECONDS = 120.0
_PATIENCE_SECONDS = 240.0
_STEP = 5_000
_TOLD = re.compile(r"[a-z0-9][^:\n\[\]]* from the log in [0-9.]+ s")


def run(
    directory: Path,
    *,
    num_verdicts: int,
    num_unanswered: int,
    parallelism: int = 1,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure in a directory. Returns what `--json` prints. num_unanswered: accepted updates without a receipt, which
    the stages take in again. Raises TimeoutError when the stages do not go on."""
    report("starting the stages on an empty log")
    with ExitStack() as ends:
        empty = _Federation(ends, directory / "empty", parallelism)
        nothing = empty.start(STAGES, "empty")
    with ExitStack() as ends:
        full = _Federation(ends, directory / "full", parallelism)
        report(f"writing {num_verdicts} updates, verdicts and what follows from them")
        full.write(num_verdicts, num_unanswered)
        report("making the leaves (audit)")
        full.make_leaves(2 * num_verdicts - num_unanswered)
        report(f"starting the stages ({', '.join(STAGES)}) without state")
        found = full.start(STAGES, "from-the-log")
    return {
        "verdicts": num_verdicts,
        "unanswered": num_unanswered,
        "leaves": 2 * num_verdicts - num_unanswered,
        "parallelism": parallelism,
        "from_the_log": found,
        "from_nothing": nothing,
        "recovery_seconds": round(found["first_verdict_seconds"] - nothing["first_verdict_seconds"], 2),
    }


class _Federation:
    """A stack whose log is written here."""

    def __init__(self, ends: ExitStack, directory: Path, parallelism: int) -> None:
        self._stack = ends.enter_context(Stack(directory, watch=False, partitions=4))
        self._federation, self._parallelism = self._stack.federation, parallelism
        self._transport = connect(self._federation.brokers, "fluvial-bench")
        ends.callback(self._transport.close)

    def write(self, num_verdicts: int, num_unanswered: int) -> None:
        load, topics = Load.of(num_verdicts, closing=False), self._federation.topics
        register(self._transport, topics, self._stack.keys, load.participants)
        announce(self._transport, topics, self._stack.keys, load.tasks, load.rounds)
        envelopes = list(load.envelopes())
        places: list[Position] = []
        for first in range(0, len(envelopes), _STEP):
            places += wait(
                self._transport.produce(topics.updates, raw, key=name.encode())
                for name, raw in envelopes[first : first + _STEP]
            )
        tasks = [round_.task for round_ in load.rounds for _ in load.participants]
        verdicts = [
            _verdict(topics.updates, task, *envelope, place)
            for task, envelope, place in zip(tasks, envelopes, places, strict=False)
        ]
        _publish(
            self._federation.brokers,
            StageMac.load(self._stack.directory.keys),
            self._stage_records(verdicts, num_unanswered),
        )

    def _stage_records(self, verdicts: list[Verdict], num_unanswered: int) -> Iterator[tuple[str, bytes, bytes]]:
        """(topic, key, value) of what the stages would have written."""
        topics = self._federation.topics
        for number, verdict in enumerate(verdicts):
            key, event = verdict.participant.encode(), verdict_event(verdict)
            yield topics.verdicts, key, encode(verdict)
            yield topics.events, event.id.encode(), encode(event)
            if number < len(verdicts) - num_unanswered:
                receipt = _receipt(verdict)
                event = audit_event(receipt, verdict.source_timestamp_ms)
                yield topics.receipts, key, encode(receipt)
                yield topics.events, event.id.encode(), encode(event)

    def make_leaves(self, expected: int) -> None:
        """Run the audit stage until all events have their leaves and those are signed."""
        checkpoints = self._transport.read(self._federation.topics.checkpoints)
        with closing(checkpoints), LocalJob(self._stack.directory, Submission(stages=("audit",), name="leaves")) as job:
            _wait_until(lambda: any(_size(message) >= expected for message in checkpoints.poll(0.2)), job)

    def start(self, stages: tuple[str, ...], name: str) -> dict[str, Any]:
        """Seconds from the submission until all operators run, and until a new record has its verdict and its leaf."""
        topics = self._federation.topics
        before = {topic: self._transport.bounds(topic) for topic in (topics.verdicts, topics.audit)}
        record = f"not an update: {name}".encode()
        wait([self._transport.produce(topics.updates, record, key=b"nobody")])
        with Usage() as usage, ExitStack() as ends:
            readers = {
                topic: self._transport.read(topic, {partition: bound.end for partition, bound in held.items()})
                for topic, held in before.items()
            }
            for reader in readers.values():
                ends.callback(reader.close)
            began = time.monotonic()
            job = LocalJob(self._stack.directory, Submission(stages=stages, name=name, parallelism=self._parallelism))
            ends.enter_context(job)
            usage.watch("client", job.pid or 0)
            job.wait_until_running()
            running = time.monotonic() - began
            jvm = java_child(job.pid or 0) or 0
            usage.watch("operators", jvm)
            _wait_for_verdict(readers[topics.verdicts], hashlib.sha256(record).digest(), job)
            judged = time.monotonic() - began
            _wait_until(lambda: bool(readers[topics.audit].poll(0.2)), job)
            leaf = time.monotonic() - began
            return {
                "running_seconds": round(running, 2),
                "first_verdict_seconds": round(judged, 2),
                "first_leaf_seconds": round(leaf, 2),
                "cpu_seconds": {role: round(each, 1) for role, each in usage.cpu_seconds().items()},
                "peak_rss_mb": {role: round(size, 1) for role, size in usage.megabytes().items()},
                "told": _told(job),
            }


def _publish(brokers: Brokers, mac: StageMac, records: Iterator[tuple[str, bytes, bytes]]) -> None:
    """Raises TimeoutError when the broker does not have all of them in time."""
    producer = clients.producer(brokers, "fluvial-bench", {"queue.buffering.max.messages": 1_000_000})
    for topic, key, value in records:
        producer.produce(topic, value, key, headers=[mac.header(topic, key, value)])
    if left := producer.flush(_ACKNOWLEDGED_SECONDS):
        raise TimeoutError(f"the broker did not take {left} records in {_ACKNOWLEDGED_SECONDS:.0f} s")


def _verdict(topic: str, task: str, participant: str, raw: bytes, place: Position) -> Verdict:
    """Of the update of that participant in the first round of the task."""
    return Verdict(
        source_topic=topic,
        source_partition=place.partition,
        source_offset=place.offset,
        source_timestamp_ms=place.timestamp_ms,
        record_sha256=hashlib.sha256(raw).digest(),
        participant=participant,
        task=task,
        round=1,
        attempt=1,
        update_id=f"{participant}.{task}",
        decision=Decision.ACCEPT,
        reason=Reason.ACCEPTED,
        norm=1.0,
        max_abs=0.5,
    )


def _receipt(verdict: Verdict) -> Receipt:
    return Receipt(
        task=verdict.task,
        round=verdict.round,
        attempt=verdict.attempt,
        participant=verdict.participant,
        update_id=verdict.update_id,
        outcome=Outcome.INCLUDED,
        version=1,
        weight=1,
        model_digest=bytes(32),
    )


def _size(checkpoint: Message) -> int:
    """Leaves that it signs: the second line of a tree head (C2SP tlog-checkpoint)."""
    return int((checkpoint.value or b"").split(b"\n")[1])


def _wait_for_verdict(verdicts: Reader, record_sha256: bytes, job: LocalJob) -> None:
    def is_there() -> bool:
        found = [decode(message.value or b"", Verdict) for message in verdicts.poll(0.2)]
        return any(verdict.record_sha256 == record_sha256 for verdict in found)

    _wait_until(is_there, job)


def _wait_until(condition: Callable[[], bool], job: LocalJob) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if job.pid is None:
            raise start_error("the job ended", job.log)
        if time.monotonic() > deadline:
            raise TimeoutError(f"the job did not go on: see {job.log}")


def _told(job: LocalJob) -> list[str]:
    """What the operators say of their reading."""
    logs = [job.log, *job.log.parent.glob("log/*.log")]
    return sorted({found for log in logs for found in _TOLD.findall(log.read_text(errors="replace"))})
