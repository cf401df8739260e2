"""Flink function of enrolment: it looks up, calls the judgement and emits. Decisions are in governance."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from pyflink.common import Types
from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from governance.admission import gate
from governance.registry.enrolment import Enrolled, judge_enrolment
from governance.registry.records import registry_key
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.frames import parse_source, sink_frame
from pipelines.validation import logic
from pipelines.validation.operators.trusted_records import WithTrustedRecords, claimed_participant, source_of


def claimed_applicant(frame: bytes) -> str:
    """What enrolment requests are keyed by."""
    return claimed_participant(parse_source(frame))


class Enrol(WithTrustedRecords):
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
