"""Flink function of enrolment: it emits verdicts, and signs as registrar what they bring into the registry."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

from pyflink.datastream.state import MapStateDescriptor

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.registry.records import registry_key
from fluvial.wire.foreign_text import logger
from fluvial.wire.records import Decision, EnrolmentToken, Participant
from governance.admission import gate
from governance.registry.enrolment import Enrolled, EnrolmentJudgement, judge_enrolment
from pipelines.config import Settings
from pipelines.flink.audit_frames import participant_frame
from pipelines.flink.bundles import Kind, pack_bundle
from pipelines.flink.frames import SourceRecord, parse_source, sink_frame
from pipelines.flink.messages import unpack
from pipelines.validation.known import source_of
from pipelines.validation.operators.holding import HoldsUnhandled
from pipelines.validation.operators.judging import BYTES_BY_NAME, now_ms
from pipelines.validation.record_life import Concluded
from pipelines.validation.verdict_frames import verdict_frames

_SETTLED_MS = 600_000
"""After this time what was signed is in the registry, or its transaction was aborted."""

_log = logger(__name__)
_SIGNED_MS = struct.Struct(">q")


class Enrol(HoldsUnhandled):
    """One verdict for each enrolment request; an accepted one enters the registry. Output: bundles of sink frames.

    What is in force in the registry is written again where something else was written behind it (`standing.py`).
    What the registrar signs is known here at once, before it comes back through the topic; it is kept in state until
    it must have come, because after a restart the topic may not show it yet.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, "enrolments")

    def open(self, ctx: Any) -> None:
        super().open(ctx)
        self._key = SigningKey.load(self._settings.keys_dir / "registrar.pem")
        self._signed = ctx.get_map_state(MapStateDescriptor("signed", *BYTES_BY_NAME))
        self._known_lanes: set[str] = set()

    def _begin(self, ctx: Any) -> None:
        self._frames: list[bytes] = []
        lane = ctx.get_current_key()
        if lane not in self._known_lanes:
            self._known_lanes.add(lane)
            for key, data in list(self._signed.items()):
                self._trusted.apply_registry(key, bytes(data)[_SIGNED_MS.size :])

    def _results(self, ctx: Any) -> Iterator[bytes]:
        self._frames += self._stated_again()
        return iter([pack_bundle(Kind.SINK, self._frames)] if self._frames else [])

    def process_broadcast_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        yield from super().process_broadcast_element(value, ctx)
        _, topic, parts = unpack(bytes(value))
        if topic == "registry":
            record = parse_source(parts[0])
            self._known.standing.take(record.offset, record.key, record.value)
        if frames := self._stated_again():
            yield pack_bundle(Kind.SINK, frames)

    def _stated_again(self) -> list[bytes]:
        """What is in force in the registry, and has something else behind it under its key."""
        due = self._known.standing.due()
        for key, _ in due:
            _log.warning("%s has a record behind the one in force, which is written again", key)
        return [sink_frame(self._topics.registry, key.encode(), raw) for key, raw in due]

    def _met_again(self, record: SourceRecord) -> None:
        """What the registry lacks of an enrolment that was judged before is made again."""
        (judgement,) = self._judge([record])
        if isinstance(judgement, Enrolled) and judgement.verdict.decision is Decision.DUPLICATE:
            self._sign(record, judgement.records)

    def _sign(self, record: SourceRecord, records: Sequence[Participant | EnrolmentToken]) -> None:
        at_ms = now_ms()
        for one in records:
            key, raw = registry_key(one), seal(one, self._key, "registrar", self._topics.scope)
            self._trusted.apply_registry(key, raw)
            self._signed.put(key, _SIGNED_MS.pack(at_ms) + raw)
            self._frames.append(sink_frame(self._topics.registry, key.encode(), raw))
            if isinstance(one, Participant):
                self._frames.append(participant_frame(self._topics, raw, record.timestamp_ms))
        for key, data in list(self._signed.items()) if records else ():
            if _SIGNED_MS.unpack_from(bytes(data))[0] < at_ms - _SETTLED_MS:
                self._signed.remove(key)

    # The lane's desk.

    def judge(self, records: Sequence[SourceRecord]) -> Iterator[EnrolmentJudgement]:
        return self.one_by_one(records, self._judge)

    def _judge(self, records: Sequence[SourceRecord]) -> Iterator[EnrolmentJudgement]:
        for record in records:
            source = source_of(record, self._topic)
            yield judge_enrolment(
                record.value,
                source,
                registry=self._trusted,
                claims=self._known.claims,
                scope=self._topics.scope,
            )

    def conclude(self, needs: gate.NeedsEvidence, findings: Sequence[gate.Finding]) -> Concluded:
        raise NotImplementedError("an enrolment waits for no evidence")

    def settled(self, record: SourceRecord, outcome: Enrolled | gate.Refused) -> None:
        if isinstance(outcome, Enrolled):
            self._sign(record, outcome.records)
        self._frames += verdict_frames(self._topics, outcome.verdict, record.value)
