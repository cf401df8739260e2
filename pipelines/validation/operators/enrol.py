"""Flink function of enrolment: it hands records and state to the judgement and to the lanes, and emits what they
decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pyflink.common import Types
from pyflink.datastream.state import MapStateDescriptor

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.registry.records import registry_key
from governance.admission import gate
from governance.registry.enrolment import Enrolled, EnrolmentJudgement, judge_enrolment
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.bundles import Kind, pack_bundle, parse_sources
from pipelines.flink.frames import SourceRecord, sink_frame
from pipelines.validation.contests import Room
from pipelines.validation.lanes import Lanes
from pipelines.validation.operators.holding import HoldsUnhandled
from pipelines.validation.operators.trusted_records import now_ms, source_of
from pipelines.validation.record_life import Concluded, Lane
from pipelines.validation.verdict_frames import verdict_frames
from pipelines.validation.waiting import Waiting


class Enrol(HoldsUnhandled):
    """Keyed by lane of the claimed participant: one verdict for each enrolment request; an accepted one enters the
    registry. Output: bundles of sink frames."""

    def open(self, ctx: Any) -> None:
        super().open(ctx)
        self._topics = self._settings.topics
        self._key = SigningKey.load(self._settings.keys_dir / "registrar.pem")
        state_type = Types.STRING(), Types.PICKLED_BYTE_ARRAY()
        self._used = ctx.get_map_state(MapStateDescriptor("used-tokens", *state_type))
        self._lanes = Lanes(
            ctx.get_map_state(MapStateDescriptor("parked", *state_type)),
            lambda: Lane(self, (), Room(0), self.refuse_at_ms),
        )

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        lane, at_ms = self._begin(ctx)
        lane.arrive(parse_sources(bytes(value)), at_ms)
        return self._finish(ctx, at_ms)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[bytes]:
        lane, at_ms = self._begin(ctx)
        lane.look(at_ms)
        return self._finish(ctx, at_ms, timestamp)

    @property
    def input_topic(self) -> str:
        return self._topics.enrolments

    def _begin(self, ctx: Any) -> tuple[Lane, int]:
        self._trusted_records = self._trusted_in(ctx)
        self._frames: list[bytes] = []
        return self._lanes.of(ctx.get_current_key()), now_ms()

    def _finish(self, ctx: Any, now_ms: int, fired_ms: int = 0) -> Iterator[bytes]:
        look_at_ms = self._lanes.next_timer(ctx.get_current_key(), now_ms, fired_ms)
        if look_at_ms is not None:
            ctx.timer_service().register_processing_time_timer(look_at_ms)
        return iter([pack_bundle(Kind.SINK, self._frames)] if self._frames else [])

    # The lane's desk.

    def judge(self, records: Sequence[SourceRecord]) -> Iterator[EnrolmentJudgement]:
        return self.one_by_one(records, self._judge)

    def _judge(self, records: Sequence[SourceRecord]) -> Iterator[EnrolmentJudgement]:
        for record in records:
            yield judge_enrolment(
                record.value,
                source_of(record, self.input_topic),
                registry=self._trusted_records,
                used=self._used.contains,
            )

    def conclude(self, needs: gate.NeedsEvidence, findings: Sequence[gate.Finding]) -> Concluded:
        raise NotImplementedError("an enrolment waits for no evidence")

    def settled(self, record: SourceRecord, outcome: Enrolled | gate.Refused) -> None:
        if isinstance(outcome, Enrolled):
            participant = outcome.participant
            if outcome.token_sha256 is not None:
                self._used.put(outcome.token_sha256.hex(), b"")
            key = registry_key(participant).encode()
            self._frames.append(sink_frame(self._topics.registry, key, seal(participant, self._key, "registrar")))
            self._frames.append(audit_frame(self._topics, participant, record.timestamp_ms))
        self._frames += verdict_frames(self._topics, outcome.verdict, record.value)

    def keep(self, waiting: Waiting) -> None:
        self._lanes.keep(waiting)

    def drop(self, waiting: Waiting) -> None:
        self._lanes.drop(waiting)

    def knowledge(self) -> int:
        return self._trusted_records.num_changes
