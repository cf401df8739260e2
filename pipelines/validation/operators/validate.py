"""Flink function of validation: it hands records and state to the gate and to the lanes, and emits what they decide.

It works in bundles: one call of Python judges all records of a lane that came together, reads and writes Flink's state
once for each participant and bundle, and gives what they became as two bundles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pyflink.common import Types
from pyflink.datastream.state import MapStateDescriptor

from fluvial.wire.framing import encode
from fluvial.wire.records import AcceptedUpdate, Verdict
from fluvial.wire.topics import Topics
from governance.admission import gate
from pipelines.config import Settings
from pipelines.flink.blobs import shared_reader
from pipelines.flink.bundles import Kind, pack_bundle, parse_sources
from pipelines.flink.checked_chunks import ANNOUNCED, CHECKED
from pipelines.flink.frames import SourceRecord, sink_frame
from pipelines.flink.messages import pack
from pipelines.validation.accepted_records import REPEATED_ROUNDS, AcceptedRecords, first_remembered
from pipelines.validation.content_checks import ContentChecks, shared_checks
from pipelines.validation.contests import Room
from pipelines.validation.lanes import Lanes
from pipelines.validation.operators.holding import HoldsUnhandled
from pipelines.validation.operators.trusted_records import now_ms, source_of
from pipelines.validation.record_life import Concluded, Lane
from pipelines.validation.verdict_frames import verdict_frames
from pipelines.validation.waiting import Waiting

_CHUNKS_UNDER_CHECK = 65_536
"""Of one subtask: references of some 300 bytes."""


class Validate(HoldsUnhandled):
    """Keyed by lane of the claimed participant: exactly one verdict for each record of topic updates.

    Output: bundles of sink frames; and, when aggregation is in the same job, of messages with accepted updates, which
    otherwise are sink frames too.
    """

    def __init__(self, settings: Settings, *, hands_over: bool) -> None:
        super().__init__(settings)
        self._hands_over = hands_over

    def open(self, ctx: Any) -> None:
        super().open(ctx)
        settings = self._settings
        self._topics = settings.topics
        self._policy = gate.GatePolicy(max_record_bytes=settings.max_record_bytes, partitions=settings.partitions)
        reader = shared_reader(
            settings.brokers,
            self._topics.update_blobs,
            purpose="validation",
            cache_bytes=settings.chunk_cache_bytes,
            timeout_ms=settings.read_timeout_ms,
            check_crcs=False,
        )
        log = f"{settings.brokers} {self._topics.update_blobs}"

        def announce(needs: gate.NeedsEvidence, index: int, chunk: bytes) -> None:
            ANNOUNCED.announce(log, needs.round, index, needs.record_sha256, needs.update, chunk)

        evidence = [shared_checks(log, lambda: ContentChecks(reader.chunk, announce))]
        room = Room(_CHUNKS_UNDER_CHECK)
        state_type = Types.STRING(), Types.PICKLED_BYTE_ARRAY()
        self._seen = AcceptedRecords(
            ctx.get_map_state(MapStateDescriptor("accepted", *state_type)),
            lambda task: first_remembered(self._trusted_records.current(task)),
        )
        self._swept: dict[str, int] = {}
        self._lanes = Lanes(
            ctx.get_map_state(MapStateDescriptor("parked", *state_type)),
            lambda: Lane(self, evidence, room, self.refuse_at_ms),
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
        return self._topics.updates

    def _begin(self, ctx: Any) -> tuple[Lane, int]:
        self._trusted_records = self._trusted_in(ctx)
        self._out = _Output(self._topics, self._hands_over)
        return self._lanes.of(ctx.get_current_key()), now_ms()

    def _finish(self, ctx: Any, now_ms: int, fired_ms: int = 0) -> Iterator[bytes]:
        key = ctx.get_current_key()
        self._seen.flush()
        num_rounds = self._trusted_records.num_rounds
        if num_rounds >= self._swept.setdefault(key, num_rounds) + REPEATED_ROUNDS:
            self._swept[key] = num_rounds
            self._seen.sweep()
        look_at_ms = self._lanes.next_timer(key, now_ms, fired_ms)
        if look_at_ms is not None:
            ctx.timer_service().register_processing_time_timer(look_at_ms)
        return iter(self._out.bundles())

    # The lane's desk.

    def judge(self, records: Sequence[SourceRecord]) -> Iterator[gate.Judgement]:
        return self.one_by_one(records, self._judge)

    def _judge(self, records: Sequence[SourceRecord]) -> Iterator[gate.Judgement]:
        return gate.judge(
            [(record.value, source_of(record, self.input_topic)) for record in records],
            registry=self._trusted_records,
            rounds=self._trusted_records,
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
                CHECKED.remember(self._topics.update_blobs, chunk)
            self._out.accepted.append(outcome.accepted)
        self._out.judged.append((outcome.verdict, record.value))

    def keep(self, waiting: Waiting) -> None:
        self._lanes.keep(waiting)

    def drop(self, waiting: Waiting) -> None:
        self._lanes.drop(waiting)

    def knowledge(self) -> int:
        return self._trusted_records.num_changes


class _Output:
    """What becomes of the records of one call: verdicts, and accepted updates for the windows of their tasks.

    Written at the end, all of a kind together: what one step needs then stays in the processor's caches.
    """

    def __init__(self, topics: Topics, hands_over: bool) -> None:
        self._topics = topics
        self._hands_over = hands_over
        self.judged: list[tuple[Verdict, bytes]] = []
        self.accepted: list[AcceptedUpdate] = []

    def bundles(self) -> Iterable[bytes]:
        frames: list[bytes] = []
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
