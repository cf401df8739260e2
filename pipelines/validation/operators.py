"""Flink functions of validation: they look up, read chunks, call the gate and emit. Decisions are in governance."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedBroadcastProcessFunction, MapFunction, OutputTag, ProcessFunction
from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.errors import FluvialError
from fluvial.wire.framing import encode
from fluvial.wire.records import AcceptedUpdate, Verdict
from governance.admission import gate
from governance.registry.enrolment import Enrolled, judge_enrolment
from governance.registry.records import registry_key
from pipelines.config import Settings
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.blobs import shared_reader
from pipelines.flink.digests import CHECKED
from pipelines.flink.frames import SourceRecord, parse_source, sink_frame
from pipelines.flink.graph import BYTES
from pipelines.flink.messages import pack, unpack
from pipelines.validation import logic
from pipelines.validation.contents import ContentChecks, shared_checks
from pipelines.validation.seen import SeenByParticipant
from pipelines.validation.trusted import TrustedRecords

ACCEPTED = OutputTag("accepted", BYTES)
TRUSTED = MapStateDescriptor("trusted", Types.STRING(), Types.PICKLED_BYTE_ARRAY())

_log = logging.getLogger(__name__)


def claimed_participant(frame: bytes) -> str:
    """The record's key: a claim, which the gate compares with the signature's keyid before anything else."""
    return claimed_participant_of(parse_source(frame))


def claimed_participant_of(record: SourceRecord) -> str:
    return (record.key or b"").decode("utf-8", "replace")


def source_of(record: SourceRecord, topic: str) -> gate.Source:
    """The record's place in the log, for a verdict."""
    return gate.Source(
        topic=topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp_ms,
        key=record.key,
    )


class Mark(MapFunction):
    """Source frames with the name of their topic: registry and rounds share one broadcast stream."""

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def map(self, value: bytes) -> bytes:
        return pack("", self._topic, [bytes(value)])


class Split(ProcessFunction):
    """Parts what `Validate` puts out: sink frames to the main output, an accepted update to the side, or, with a topic,
    as one more sink frame.

    `Validate` cannot do it: in thread mode, PyFlink 2.3 loses the tag of a side output that a keyed broadcast function
    gives from a timer.
    """

    def __init__(self, accepted_topic: str | None) -> None:
        self._accepted_topic = accepted_topic

    def process_element(self, value: bytes, ctx: Any) -> Iterator[Any]:
        key, kind, parts = unpack(bytes(value))
        frames = parts
        if kind == "accepted":
            accepted, *frames = parts
            if self._accepted_topic is None:
                yield ACCEPTED, pack(key, "accepted", [accepted])
            else:
                yield sink_frame(self._accepted_topic, key.encode(), accepted)
        yield from frames


class _WithTrustedRecords(KeyedBroadcastProcessFunction):
    """Keeps the verified registry and rounds: in broadcast state, mirrored in memory for speed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, ctx: Any) -> None:
        self._mirror: TrustedRecords | None = None
        self._started_ms = int(time.time() * 1000)

    def process_broadcast_element(self, value: bytes, ctx: Any) -> Iterator[Any]:
        state = ctx.get_broadcast_state(TRUSTED)
        trusted = self._trusted(state)
        _, kind, parts = unpack(bytes(value))
        record = parse_source(parts[0])
        try:
            if kind == "registry":
                kept = trusted.apply_registry((record.key or b"").decode(), record.value)
            else:
                kept = trusted.apply_round(record.value)
        except (FluvialError, UnicodeDecodeError) as error:
            _log.warning("%s/%d@%d is not trusted: %s", kind, record.partition, record.offset, error)
        else:
            if kept is not None:
                state.put(kept, record.value)
        return iter(())

    def _trusted(self, state: Any) -> TrustedRecords:
        if self._mirror is None:
            settings = self._settings
            self._mirror = TrustedRecords(
                operator_key=bytes.fromhex(settings.operator_key),
                registrar_key=bytes.fromhex(settings.registrar_key),
                aggregator_key=bytes.fromhex(settings.aggregator_key),
            )
            for key, raw in list(state.items()):
                self._mirror.restore(key, bytes(raw))
        return self._mirror

    def _trusted_in(self, ctx: Any) -> TrustedRecords:
        return self._mirror or self._trusted(ctx.get_broadcast_state(TRUSTED))


class Validate(_WithTrustedRecords):
    """Keyed by claimed participant: exactly one verdict for each record of topic updates. Output: for `Split`."""

    def open(self, ctx: Any) -> None:
        super().open(ctx)
        settings = self._settings
        self._topics = settings.topics
        self._policy = gate.GatePolicy(max_record_bytes=settings.max_record_bytes, partitions=settings.partitions)
        reader = shared_reader(
            settings.bootstrap_servers,
            self._topics.update_blobs,
            purpose="validation",
            cache_bytes=settings.chunk_cache_bytes,
            timeout_ms=settings.read_timeout_ms,
        )
        self._checks = shared_checks(
            f"{settings.bootstrap_servers} {self._topics.update_blobs}", lambda: ContentChecks(reader.chunk)
        )
        self._seen = SeenByParticipant(
            ctx.get_map_state(MapStateDescriptor("accepted", Types.STRING(), Types.PICKLED_BYTE_ARRAY()))
        )
        self._parked = ctx.get_list_state(ListStateDescriptor("parked", Types.PICKLED_BYTE_ARRAY()))

    def process_element(self, value: bytes, ctx: Any) -> Iterator[Any]:
        frame, now_ms = bytes(value), int(time.time() * 1000)
        record = parse_source(frame)
        judgement = self._judge(record, self._trusted_in(ctx), final=False)
        in_chunks = isinstance(judgement, gate.NeedsContent) and judgement.update.inline is None
        if in_chunks or isinstance(judgement, gate.Parked):
            parked = logic.park(
                frame,
                sum(1 for _ in self._parked.get()),
                now_ms=now_ms,
                started_ms=self._started_ms,
                parking_ms=self._settings.parking_ms,
                startup_grace_ms=self._settings.startup_grace_ms,
            )
            if parked is not None:
                if isinstance(judgement, gate.NeedsContent):
                    self._checks.submit(judgement, gate.inspect_content(judgement, self._policy))
                self._parked.add(parked.dump())
                wait_ms = logic.BATCH_MS if in_chunks else logic.RETRY_MS
                ctx.timer_service().register_processing_time_timer(now_ms + wait_ms)
                return
            judgement = self._judge(record, self._trusted_in(ctx), final=True)
        yield from self._settle(record, judgement)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        now_ms, wait_ms = int(time.time() * 1000), logic.RETRY_MS
        waiting = []
        for data in list(self._parked.get()):
            parked = logic.ParkedRecord.load(bytes(data))
            record = parse_source(parked.frame)
            judgement = self._judge(record, self._trusted_in(ctx), final=now_ms >= parked.refuse_at_ms)
            if isinstance(judgement, gate.Parked):
                waiting.append(parked.dump())
            elif self._waits_for_neighbours(judgement, now_ms - parked.since_ms):
                waiting.append(parked.dump())
                wait_ms = logic.BATCH_MS
            else:
                yield from self._settle(record, judgement)
        self._parked.clear()
        if waiting:
            self._parked.add_all(waiting)
            ctx.timer_service().register_processing_time_timer(now_ms + wait_ms)

    def _waits_for_neighbours(self, judgement: gate.Judgement, waited_ms: int) -> bool:
        if not isinstance(judgement, gate.NeedsContent) or judgement.update.inline is not None:
            return False
        self._checks.submit(judgement, gate.inspect_content(judgement, self._policy))
        return waited_ms < logic.MAX_BATCH_WAIT_MS and not self._checks.dense(judgement)

    def _judge(self, record: SourceRecord, trusted: TrustedRecords, *, final: bool) -> gate.Judgement:
        return gate.judge_envelope(
            record.value,
            source_of(record, self._topics.updates),
            registry=trusted,
            rounds=trusted,
            seen=self._seen.of(claimed_participant_of(record)),
            policy=self._policy,
            final=final,
        )

    def _settle(self, record: SourceRecord, judgement: gate.Judgement) -> Iterator[Any]:
        if isinstance(judgement, gate.NeedsContent):
            verdict, accepted = self._judge_content(judgement)
        else:
            assert isinstance(judgement, gate.Refused)
            verdict, accepted = judgement.verdict, None
        if accepted is not None:
            self._seen.of(accepted.participant).remember(accepted)
            for chunk in accepted.chunks:
                CHECKED.remember(self._topics.update_blobs, chunk)
        frames = logic.verdict_frames(self._topics, verdict, record.value)
        if accepted is not None:
            yield pack(f"{accepted.task}/{accepted.round}", "accepted", [encode(accepted), *frames])
        else:
            yield pack("", "frames", frames)

    def _judge_content(self, needs: gate.NeedsContent) -> tuple[Verdict, AcceptedUpdate | None]:
        inspection = gate.inspect_content(needs, self._policy)
        if needs.update.inline is not None:
            inspection.add_inline(needs.update.inline)
            return inspection.result()
        self._checks.submit(needs, inspection)
        return self._checks.settle(needs)


class Enrol(_WithTrustedRecords):
    """Keyed by claimed participant: one verdict for each enrolment request; an accepted one enters the registry."""

    def open(self, ctx: Any) -> None:
        super().open(ctx)
        self._topics = self._settings.topics
        self._key = SigningKey.load(self._settings.keys_dir / "registrar.pem")
        self._used = ctx.get_map_state(MapStateDescriptor("used-tokens", Types.STRING(), Types.PICKLED_BYTE_ARRAY()))
        self._parked = ctx.get_list_state(ListStateDescriptor("parked", Types.PICKLED_BYTE_ARRAY()))

    def process_element(self, value: bytes, ctx: Any) -> Iterator[Any]:
        settings, now_ms = self._settings, int(time.time() * 1000)
        parked = logic.park(
            bytes(value),
            sum(1 for _ in self._parked.get()),
            now_ms=now_ms,
            started_ms=self._started_ms,
            parking_ms=settings.parking_ms,
            startup_grace_ms=settings.startup_grace_ms,
        )
        yield from self._judge(bytes(value), parked, ctx, now_ms)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        now_ms = int(time.time() * 1000)
        waiting = [logic.ParkedRecord.load(bytes(data)) for data in self._parked.get()]
        self._parked.clear()
        for parked in waiting:
            yield from self._judge(parked.frame, parked, ctx, now_ms)

    def _judge(self, frame: bytes, parked: logic.ParkedRecord | None, ctx: Any, now_ms: int) -> Iterator[Any]:
        """Judge a request. parked: the form in which it may wait; None if it may not."""
        record = parse_source(frame)
        judgement = judge_enrolment(
            record.value,
            source_of(record, self._topics.enrolments),
            registry=self._trusted_in(ctx),
            used=self._used.contains,
            final=parked is None or now_ms >= parked.refuse_at_ms,
        )
        if isinstance(judgement, gate.Parked):
            assert parked is not None
            self._parked.add(parked.dump())
            ctx.timer_service().register_processing_time_timer(now_ms + logic.RETRY_MS)
            return
        if isinstance(judgement, Enrolled):
            participant = judgement.participant
            if judgement.token_sha256 is not None:
                self._used.put(judgement.token_sha256.hex(), b"")
            key = registry_key(participant).encode()
            yield sink_frame(self._topics.registry, key, seal(participant, self._key, "registrar"))
            yield audit_frame(self._topics, participant, record.timestamp_ms)
        yield from logic.verdict_frames(self._topics, judgement.verdict, record.value)
