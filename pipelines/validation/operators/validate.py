"""Flink function of validation: it looks up, reads chunks, calls the gate and emits. Decisions are in governance.

It works in bundles: one call of Python judges all records of a lane that came together, reads and writes Flink's state
once for each participant and bundle, and gives what they became as two bundles.
"""

from __future__ import annotations

import time
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
from pipelines.flink.frames import SourceRecord, sink_frame, source_frame
from pipelines.flink.messages import pack
from pipelines.validation import logic
from pipelines.validation.accepted_records import SeenByParticipant, SeenLazily
from pipelines.validation.content_checks import ContentChecks, shared_checks
from pipelines.validation.operators.trusted_records import WithTrustedRecords, claimed_participant, source_of
from pipelines.validation.parking import Parking, Waiting
from pipelines.validation.trusted_records import TrustedRecords


class Validate(WithTrustedRecords):
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

        def announce(needs: gate.NeedsContent, index: int, chunk: bytes) -> None:
            ANNOUNCED.announce(log, needs.round, index, needs.record_sha256, needs.update, chunk)

        self._checks = shared_checks(log, lambda: ContentChecks(reader.chunk, announce))
        state_type = Types.STRING(), Types.PICKLED_BYTE_ARRAY()
        self._seen = SeenByParticipant(ctx.get_map_state(MapStateDescriptor("accepted", *state_type)))
        self._parking = Parking(ctx.get_map_state(MapStateDescriptor("parked", *state_type)))

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        lane, now_ms, trusted = ctx.get_current_key(), _now_ms(), self._trusted_in(ctx)
        out = _Output(self._topics, self._hands_over)
        records = parse_sources(bytes(value))
        for record, read in zip(records, self._read(records, trusted), strict=True):
            judgement = self._judge(record, trusted, final=False, read=read)
            if self._waits(judgement):
                if self._park(lane, record, judgement, now_ms):
                    continue
                judgement = self._judge(record, trusted, final=True, read=read)
            self._settle(record, judgement, out)
        return self._finish(lane, out, ctx)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[bytes]:
        lane, now_ms, trusted = ctx.get_current_key(), _now_ms(), self._trusted_in(ctx)
        out = _Output(self._topics, self._hands_over)
        for waiting in self._parking.due(lane, now_ms):
            if self._waits_for_content(waiting, now_ms):
                continue
            judgement = self._judge(waiting.record, trusted, final=now_ms >= waiting.parked.refuse_at_ms)
            if isinstance(judgement, gate.Parked):
                pause_ms = logic.retry_ms(now_ms - waiting.parked.since_ms)
                waiting.look_at_ms = min(now_ms + pause_ms, waiting.parked.refuse_at_ms)
                continue
            if (
                isinstance(judgement, gate.NeedsContent)
                and judgement.update.inline is None
                and waiting.needs is None
                and (not self._submit(lane, waiting, judgement, now_ms) or self._waits_for_content(waiting, now_ms))
            ):
                continue
            if waiting.needs is not None and not isinstance(judgement, gate.NeedsContent):
                self._checks.withdraw(waiting.needs)
            self._parking.remove(lane, waiting)
            self._settle(waiting.record, judgement, out)
        return self._finish(lane, out, ctx, timestamp)

    def _finish(self, lane: str, out: _Output, ctx: Any, fired_ms: int = 0) -> Iterator[bytes]:
        self._seen.flush()
        look_at_ms = self._parking.next_timer(lane, fired_ms)
        if look_at_ms is not None:
            ctx.timer_service().register_processing_time_timer(look_at_ms)
        return iter(out.bundles())

    @staticmethod
    def _waits(judgement: gate.Judgement) -> bool:
        in_chunks = isinstance(judgement, gate.NeedsContent) and judgement.update.inline is None
        return in_chunks or isinstance(judgement, gate.Parked)

    def _park(self, lane: str, record: SourceRecord, judgement: gate.Judgement, now_ms: int) -> bool:
        # Reading takes an end, so what waits for its content always may; only what may never come is bounded.
        needs_content = isinstance(judgement, gate.NeedsContent)
        parked = logic.park(
            source_frame(record),
            0 if needs_content else self._parking.num_parked(lane, record.key),
            now_ms=now_ms,
            started_ms=self._started_ms,
            parking_ms=self._settings.parking_ms,
            startup_grace_ms=self._settings.startup_grace_ms,
        )
        if parked is None:
            return False
        waiting = self._parking.add(lane, record, parked, now_ms + logic.RETRY_MS)
        if isinstance(judgement, gate.NeedsContent):
            self._submit(lane, waiting, judgement, now_ms)
        return True

    def _submit(self, lane: str, waiting: Waiting, needs: gate.NeedsContent, now_ms: int) -> bool:
        """Have the content checked, unless an equal record waits before this one, which then becomes its duplicate."""
        waiting.look_at_ms = now_ms + logic.BATCH_MS
        if self._parking.repeats(lane, waiting):
            return False
        waiting.needs = needs
        self._checks.submit(needs, gate.inspect_content(needs, self._policy))
        return True

    def _waits_for_content(self, waiting: Waiting, now_ms: int) -> bool:
        """Whether the record's content is not read yet; it is judged again only when it is."""
        if waiting.needs is None:
            return False
        waited_ms = now_ms - waiting.parked.since_ms
        if not waiting.reading and waited_ms < logic.MAX_BATCH_WAIT_MS and not self._checks.dense(waiting.needs):
            waiting.look_at_ms = now_ms + logic.BATCH_MS
            return True
        waiting.reading = True
        # Rounded, so that one timer wakes all that wait.
        waiting.look_at_ms = (now_ms // logic.READING_MS + 1) * logic.READING_MS
        return not self._checks.ready(waiting.needs)

    def _read(
        self, records: Sequence[SourceRecord], trusted: TrustedRecords
    ) -> list[gate.SignedUpdate | gate.Unsigned]:
        """The part of the judgement that many records go through together."""
        topic = self._topics.updates
        return gate.read_signed(
            [(record.value, source_of(record, topic)) for record in records], registry=trusted, policy=self._policy
        )

    def _judge(
        self,
        record: SourceRecord,
        trusted: TrustedRecords,
        *,
        final: bool,
        read: gate.SignedUpdate | gate.Unsigned | None = None,
    ) -> gate.Judgement:
        """read: the record after `_read`, where others were read with it."""
        return gate.judge_read(
            read or self._read([record], trusted)[0],
            registry=trusted,
            rounds=trusted,
            seen=SeenLazily(self._seen, claimed_participant(record)),
            policy=self._policy,
            final=final,
        )

    def _settle(self, record: SourceRecord, judgement: gate.Judgement, out: _Output) -> None:
        if isinstance(judgement, gate.NeedsContent):
            verdict, accepted = self._judge_content(judgement)
        else:
            assert isinstance(judgement, gate.Refused)
            verdict, accepted = judgement.verdict, None
        if accepted is not None:
            self._seen.remember(accepted)
            for chunk in accepted.chunks:
                CHECKED.remember(self._topics.update_blobs, chunk)
            out.accepted.append(accepted)
        out.judged.append((verdict, record.value))

    def _judge_content(self, needs: gate.NeedsContent) -> tuple[Verdict, AcceptedUpdate | None]:
        inspection = gate.inspect_content(needs, self._policy)
        if needs.update.inline is not None:
            inspection.add_inline(needs.update.inline)
            return inspection.result()
        return self._checks.settle(needs)


def _now_ms() -> int:
    return int(time.time() * 1000)


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
            frames += logic.verdict_frames(self._topics, verdict, raw)
        if frames:
            yield pack_bundle(Kind.SINK, frames)
