"""Flink function of validation: it hands records to the gate and to the lanes, and emits what they decide.

It works in bundles: one call of Python judges all records of a lane that came together, reads and writes Flink's state
once for each participant and bundle, and gives what they became as two bundles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pyflink.datastream.state import MapStateDescriptor

from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import encode
from fluvial.wire.records import AcceptedUpdate, Verdict
from fluvial.wire.topics import Topics
from governance.admission import gate
from governance.admission.evidence import Evidence
from pipelines.config import Settings
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.bundles import Kind, pack_bundle
from pipelines.flink.frames import SourceRecord, sink_frame
from pipelines.flink.messages import pack
from pipelines.validation.accepted_records import REPEATED_ROUNDS, AcceptedRecords, first_remembered
from pipelines.validation.contests import Room
from pipelines.validation.known import source_of
from pipelines.validation.operators.holding import HoldsUnhandled
from pipelines.validation.operators.judging import BYTES_BY_NAME, now_ms
from pipelines.validation.record_life import Concluded
from pipelines.validation.verdict_frames import verdict_frames

_CHUNKS_UNDER_CHECK = 65_536
"""Of one subtask: references of some 300 bytes."""

_log = logger(__name__)


class Validate(HoldsUnhandled):
    """Exactly one verdict for each record of topic updates.

    Output: bundles of sink frames; and, when aggregation is in the same job, of messages with accepted updates, which
    otherwise are sink frames too.
    """

    def __init__(self, settings: Settings, *, hands_over: bool) -> None:
        super().__init__(settings, "updates")
        self._hands_over = hands_over

    def open(self, ctx: Any) -> None:
        super().open(ctx)
        settings = self._settings
        self._policy = gate.GatePolicy(
            max_record_bytes=settings.max_record_bytes, partitions=settings.partitions, scope=settings.topics.scope
        )
        self._seen = AcceptedRecords(
            ctx.get_map_state(MapStateDescriptor("accepted", *BYTES_BY_NAME)),
            lambda task: first_remembered(self._trusted.current(task)),
            self._judged.memories.get,
            lambda: self._trusted.num_rounds,
        )
        self._swept: dict[str, int] = {}

    def _evidence(self) -> Sequence[Evidence]:
        return [self._process.checks, self._process.scores]

    def _room(self) -> Room:
        return Room(_CHUNKS_UNDER_CHECK)

    def _begin(self, ctx: Any) -> None:
        self._out = _Output(self._topics, self._hands_over)

    def _results(self, ctx: Any) -> Iterator[bytes]:
        lane, num_rounds = ctx.get_current_key(), self._trusted.num_rounds
        self._seen.flush()
        if num_rounds >= self._swept.setdefault(lane, num_rounds) + REPEATED_ROUNDS:
            self._swept[lane] = num_rounds
            self._seen.sweep()
        # Told by one subtask, once; should the job fail first, it is found again, and repeats have the same id.
        gaps = self._known.take_gaps()
        return iter(self._out.bundles([audit_frame(self._topics, gap, now_ms()) for gap in gaps]))

    def _met_again(self, record: SourceRecord) -> None:
        """One that was accepted, but has no receipt, may be lost to the window: it is handed on again."""
        source = source_of(record, self._topic)
        record_sha256 = self._judged.unanswered.get(source.place)
        if record_sha256 is None:
            return
        accepted = gate.readmitted(record.value, source, self._policy.scope)
        if accepted is None or accepted.record_sha256 != record_sha256:
            _log.error("%s/%d@%d is not the update that was accepted", *source.place)
            return
        self._out.accepted.append(accepted)

    # The lane's desk.

    def judge(self, records: Sequence[SourceRecord]) -> Iterator[gate.Judgement]:
        return self.one_by_one(records, self._judge)

    def _judge(self, records: Sequence[SourceRecord]) -> Iterator[gate.Judgement]:
        return gate.judge(
            [(record.value, source_of(record, self._topic)) for record in records],
            registry=self._trusted,
            rounds=self._trusted,
            seen=self._seen,
            policy=self._policy,
        )

    def conclude(self, needs: gate.NeedsEvidence, findings: Sequence[gate.Finding]) -> Concluded:
        verdict, accepted = gate.conclude(needs, findings, self._policy)
        if accepted is None:
            self._seen.note_failure(verdict.participant, verdict.task, verdict.round)
        else:
            self._seen.remember(accepted)
        return Concluded(verdict, accepted)

    def settled(self, record: SourceRecord, outcome: Concluded | gate.Refused) -> None:
        if isinstance(outcome, Concluded) and outcome.accepted is not None:
            for chunk in outcome.accepted.chunks:
                self._process.checked.remember(self._topics.update_blobs, chunk)
            self._out.accepted.append(outcome.accepted)
        self._out.judged.append((outcome.verdict, record.value))


class _Output:
    """What becomes of the records of one call: verdicts, and accepted updates for the windows of their tasks.

    Written at the end, all of a kind together: what one step needs then stays in the processor's caches.
    """

    def __init__(self, topics: Topics, hands_over: bool) -> None:
        self._topics = topics
        self._hands_over = hands_over
        self.judged: list[tuple[Verdict, bytes]] = []
        self.accepted: list[AcceptedUpdate] = []

    def bundles(self, frames: list[bytes]) -> Iterable[bytes]:
        """frames: others that belong to it."""
        if self._hands_over:
            tasks: dict[str, list[bytes]] = {}
            for accepted in self.accepted:
                tasks.setdefault(accepted.task, []).append(encode(accepted))
            if tasks:
                messages = [pack(task, "accepted", updates) for task, updates in tasks.items()]
                yield pack_bundle(Kind.MESSAGES, messages)
        else:
            topic = self._topics.accepted
            frames += (sink_frame(topic, accepted.task.encode(), encode(accepted)) for accepted in self.accepted)
        for verdict, raw in self.judged:
            frames += verdict_frames(self._topics, verdict, raw)
        if frames:
            yield pack_bundle(Kind.SINK, frames)
