"""The audit stage in memory: its two operators, its topics with their transactions, and what Flink does around them.

The topics hold committed records at offsets, with gaps where control records and aborted records lie. What operators
emit waits in a transaction; a checkpoint takes a picture of Flink's state and of the sources' positions, and commits
it, or the broker aborts it. Proofs of writers are added and asked for as the Java sink and source do it.
"""

from __future__ import annotations

import contextlib
import copy
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fluvial.identity.brokers import Brokers
from fluvial.identity.keys import SigningKey
from fluvial.transparency.chain import ChainEnd
from fluvial.transparency.checkpoint import Checkpoint, open_checkpoint
from fluvial.transparency.note import NoteKey
from fluvial.wire.errors import DecodeError, VerificationError
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import AuditEvent, Decision, Reason, SequencedEvent, Verdict
from fluvial.wire.topics import Topics
from governance.audit.events import verdict_event
from pipelines.audit import committed_log
from pipelines.audit.committed_log import CommittedLog
from pipelines.audit.operators import LOG, LeavesLost, Sequence, Sign
from pipelines.config import Settings
from pipelines.flink.bundles import Kind, pack_bundle
from pipelines.flink.frames import SinkRecord, SourceRecord, parse_sink, source_frame
from pipelines.flink.offsets import Bounds, starting_offsets
from pipelines.flink.stage_mac import FILE, StageMac
from tests.unit.pipelines.flink_state import FlinkState

ORIGIN = "log.example/audit"
TOPICS = Topics("t.")
SECRET = bytes(range(32))
LOG_KEY = SigningKey.from_seed(bytes(32))
NOTE_KEY = NoteKey(name=ORIGIN, public_key=LOG_KEY.public_key)


def settings_in(folder: Path, since_ms: int = 0) -> Settings:
    """Settings whose keys lie in this folder."""
    if not (folder / "log.pem").exists():
        LOG_KEY.save(folder / "log.pem")
        (folder / FILE).write_text(f"{SECRET.hex()} {since_ms}\n")
    return Settings(
        brokers=Brokers(bootstrap_servers="none:0"),
        topic_prefix="t.",
        operator_key="00" * 32,
        registrar_key="00" * 32,
        aggregator_key="00" * 32,
        log_origin=ORIGIN,
        keys_dir=folder,
        checkpoint_dir=folder,
        repository_root=folder,
    )


def event(number: int, participant: str = "anna") -> AuditEvent:
    return verdict_event(
        Verdict(
            source_topic="t.updates",
            source_partition=0,
            source_offset=number,
            source_timestamp_ms=1_700_000_000_000 + number,
            record_sha256=bytes(32),
            participant=participant,
            task="demo",
            round=1,
            attempt=1,
            update_id=f"u{number}",
            decision=Decision.ACCEPT,
            reason=Reason.ACCEPTED,
            norm=1.0,
            max_abs=0.5,
        )
    )


class AuditWorld:
    """One federation's audit. `now_ms` is processing time and the broker's. together_from: records in a bundle from
    which on the operators look through them together."""

    def __init__(self, settings: Settings, together_from: int = 1) -> None:
        self.settings = settings
        self.together_from = together_from
        self.mac = StageMac.load(settings.keys_dir)
        self.topics: dict[str, list[SourceRecord]] = {TOPICS.events: [], TOPICS.audit: [], TOPICS.checkpoints: []}
        self.first: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self.reads: list[tuple[str, Mapping[int, int] | None, int | None]] = []
        self.now_ms = 1_700_000_000_000
        self.restarts = 0
        self.submit()

    # The broker.

    def write(
        self, topic: str, value: bytes, key: bytes | None = b"", *headers: tuple[str, bytes], proven: bool
    ) -> None:
        """A committed record; with a proof of its writer, or without."""
        self.now_ms += 1
        offset = self.ends.get(topic, 0)
        proof = (self.mac.header(topic, key, value, headers),) if proven else ()
        self.topics[topic].append(SourceRecord(0, offset, self.now_ms, key, value, (*headers, *proof)))
        self.ends[topic] = offset + 1

    def skip_offsets(self, topic: str, count: int = 1) -> None:
        """Control records, or what was aborted."""
        self.ends[topic] = self.ends.get(topic, 0) + count

    def expire(self, topic: str, first: int) -> None:
        """Retention takes what lies before this offset."""
        self.first[topic] = first
        self.topics[topic] = [record for record in self.topics[topic] if record.offset >= first]

    def bounds(self, brokers: Brokers, topic: str) -> dict[int, Bounds]:
        end = self.ends.get(topic, 0)
        return {0: Bounds(self.first.get(topic, 0), end, end)}

    def read_to_end(
        self, brokers: Brokers, topic: str, *, start: Any = None, tail: Any = None, settle_seconds: float = 0
    ) -> Iterator[SourceRecord]:
        self.reads.append((topic, start, tail))
        begin = starting_offsets(self.bounds(brokers, topic), start, tail)[0]
        yield from [record for record in self.topics[topic] if record.offset >= begin]

    # Flink.

    def submit(self) -> None:
        """Start a job without state: where `pipelines.audit.job.attach` says that its sources begin."""
        self.abort()
        with self._patched():
            committed = CommittedLog(self.settings)
            log = committed.view(remember=1)
            committed.check_events(log)
        self.flink = FlinkState()
        self.positions = {TOPICS.events: log.next_events.get(0, 0), TOPICS.audit: log.next_leaves[0]}
        self.retained = copy.deepcopy((self.flink.cells, self.flink.timers, self.positions))
        self._open()

    def restart(self) -> None:
        """A failure: the job goes on from the last checkpoint."""
        self.restarts += 1
        self.emitted: list[SinkRecord] = []
        self.flink = FlinkState()
        self.flink.cells, self.flink.timers, self.positions = copy.deepcopy(self.retained)
        self._open()

    def abort(self) -> None:
        """The broker aborts what was emitted since the last checkpoint."""
        for topic, *_ in getattr(self, "emitted", []):
            self.skip_offsets(topic)
        self.emitted = []

    def checkpoint(self, *, committed: bool = True) -> None:
        """A checkpoint, and its transaction committed, or aborted behind its back."""
        self.retained = copy.deepcopy((self.flink.cells, self.flink.timers, self.positions))
        if not committed:
            self.abort()
        for topic, key, value, headers in self.emitted:
            self.write(topic, value or b"", key, *headers, proven=True)
        for topic in {topic for topic, *_ in self.emitted}:
            self.skip_offsets(topic)
        self.emitted = []

    def deliver(self, topic: str, count: int = 1_000_000) -> None:
        """The next records of `events` or `audit` to their operator, as one bundle."""
        waiting = [record for record in self.topics[topic] if record.offset >= self.positions[topic]][:count]
        if not waiting:
            return
        self.positions[topic] = waiting[-1].offset + 1
        frames = [source_frame(record) for record in waiting if self.mac.proves(topic, record)]
        if frames:
            operator = self.sequence if topic == TOPICS.events else self.sign
            self._call(lambda: self.flink.call(operator, LOG, pack_bundle(Kind.SOURCE, frames)))

    def pass_time(self, milliseconds: int = 60_000) -> None:
        """Timers fire. Both operators have timers of their own, so each has a Flink state of its own name."""
        self.now_ms += milliseconds
        self._call(lambda: self.flink.fire(self.timed, self.now_ms))

    def settle(self) -> None:
        """Everything that there is to do is done and committed."""
        for _ in range(30):
            before = self.restarts
            self.deliver(TOPICS.events)
            self.checkpoint()
            self.deliver(TOPICS.audit)
            self.pass_time()
            self.checkpoint()
            if self.restarts == before and self.chain_size() == self.signed_size():
                return
        raise AssertionError("the job does not come to rest")

    def _open(self) -> None:
        with self._patched():
            self.sequence, self.sign = Sequence(self.settings), Sign(self.settings)
            self.sequence.open(self.flink)
            self.sign.open(self.flink)
        self.timed = _Timed(self.sequence, self.sign)

    def _call(self, run: Any) -> None:
        with self._patched():
            try:
                given = run()
            except LeavesLost:
                self.abort()
                self.restart()
                return
        for one in given:
            self.emitted += frames_of(one)

    def _patched(self) -> Any:
        patch = pytest.MonkeyPatch.context()

        class Both:
            def __enter__(both) -> None:
                context = patch.__enter__()
                context.setattr(committed_log.log_reader, "read_to_end", self.read_to_end)
                context.setattr(committed_log.log_reader, "bounds", self.bounds)
                context.setattr("pipelines.audit.operators.time.time", lambda: self.now_ms / 1000)
                context.setattr("governance.audit.plain_events.WORTH_IT", self.together_from)

            def __exit__(both, *_: object) -> None:
                patch.__exit__(None, None, None)

        return Both()

    # What stands in the log.

    def chain(self) -> list[bytes]:
        """The leaves, by the rule, of what a stage wrote."""
        end, leaves = ChainEnd(), []
        for record in self.topics[TOPICS.audit]:
            if not self.mac.proves(TOPICS.audit, record):
                continue
            try:
                sequenced = decode(record.value, SequencedEvent)
            except DecodeError:
                continue
            if not end.why_not(sequenced):
                end = end.after(record.value)
                leaves.append(record.value)
        return leaves

    def chain_size(self) -> int:
        return len(self.chain())

    def checkpoints(self) -> list[Checkpoint]:
        """Those that the log's key signed."""
        found = []
        for record in self.topics[TOPICS.checkpoints]:
            with contextlib.suppress(VerificationError):
                found.append(open_checkpoint(record.value, NOTE_KEY))
        return found

    def signed_size(self) -> int:
        return max((checkpoint.size for checkpoint in self.checkpoints()), default=0)

    def end(self) -> ChainEnd:
        end = ChainEnd()
        for leaf in self.chain():
            end = end.after(leaf)
        return end

    def ids(self) -> list[str]:
        return [decode(leaf, SequencedEvent).event.id for leaf in self.chain()]

    def send(self, *events: AuditEvent) -> None:
        """Stages write events."""
        for one in events:
            self.write(TOPICS.events, encode(one), one.id.encode(), proven=True)


class _Timed:
    """In Flink each operator has its own timers. Here they share one state, and each knows which are its own."""

    def __init__(self, sequence: Sequence, sign: Sign) -> None:
        self._operators = sequence, sign

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[bytes]:
        for operator in self._operators:
            if operator._due.value() == timestamp:
                yield from operator.on_timer(timestamp, ctx)


def frames_of(given: bytes) -> list[SinkRecord]:
    """The records in a bundle of sink frames, or in the one frame that this is."""
    if int.from_bytes(given[:2], "big"):
        return [parse_sink(given)]
    frames, at = [], 3
    while at < len(given):
        (length,) = struct.unpack_from(">i", given, at)
        frames.append(parse_sink(given[at + 4 : at + 4 + length]))
        at += 4 + length
    return frames
