"""Flink functions of the audit stage: the sequencer and the signer of one log. Both work in bundles: one call of Python
takes in what came together.

Neither keeps what it knows in Flink's state. The log is there to be read, and what it holds is right where a state may
be wrong: behind it, when a checkpoint was lost, or before it, when the broker aborted the transaction that the
checkpoint covers. So each begins, at every start of the job and after every restart of it, with what is committed
(`committed_log`), and the sequencer looks between that and the first record that Flink gives it. Flink holds only that
a timer is due.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import ValueStateDescriptor

from fluvial.transparency.event import REMEMBERED_EVENTS
from fluvial.transparency.signer_state import SignerState
from fluvial.wire.errors import TransportError
from fluvial.wire.foreign_text import logger
from fluvial.wire.records import InputGap
from fluvial.wire.tally import Tally
from governance.audit import plain_events, signer
from governance.audit.cloud_events import Attributes
from governance.audit.events import EventRefused, audit_event
from governance.audit.sequencer import Leaf, Sequencer
from governance.audit.signer import NotNext
from pipelines.audit.committed_log import CommittedLog
from pipelines.audit.leaf_frames import LeafFrames
from pipelines.audit.leaf_headers import tree_header
from pipelines.config import Settings
from pipelines.flink.bundles import Kind, pack_bundle
from pipelines.flink.frames import SourceRecord, sink_frame
from pipelines.flink.offsets import gaps
from pipelines.flink.source_columns import SourceColumns

LOG = "log"
"""Flink's key of all events and leaves: those of a federation go to one log, hence to one sequencer and one signer."""

_BUNDLE_LEAVES = 1024
_MAX_CONTROL_RECORDS = 16
"""Offsets that transactions leave without a record between two events. A wider jump is looked into."""
_LOOK_AGAIN_MS = 30_000
_MOST_AT_ONCE = 10_000
_GATHER_MS = 20
"""Events taken in by one timer, so that checkpoints need not wait long."""

_log = logger(__name__)


class LeavesLost(TransportError):
    """Leaves stand committed behind others that do not: the broker aborted the transaction that held those, or another
    sequencer wrote. The job starts again, from the log."""


class Sequence(KeyedProcessFunction):
    """Bundles of events in, leaves of the log out, in one order. Output: bundles of sink frames of topic audit."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, ctx: Any) -> None:
        self._topics = self._settings.topics
        self._frames = LeafFrames(self._topics.audit)
        self._committed = CommittedLog(self._settings)
        self._sequencer: Sequencer | None = None
        self._looked: set[int] = set()
        self._skipped = Tally(_log)
        self._due = ctx.get_state(ValueStateDescriptor("look-again", Types.LONG()))

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        yield from self._bundles(self._leaves(SourceColumns.of(bytes(value), plain_events.WORTH_IT)))
        if self._due.value() is None:
            self._look_again(ctx, _LOOK_AGAIN_MS)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[bytes]:
        """A restart may have lost leaves whose events Flink will not give again, and no other event may come."""
        self._due.clear()
        if self._looked:
            return
        sequencer = self._sequencer or self._resumed()
        behind = list(itertools.islice(self._committed.events(_next(sequencer)), _MOST_AT_ONCE))
        yield from self._bundles(self._take_all(sequencer, behind))
        if len(behind) == _MOST_AT_ONCE:
            self._look_again(ctx, 1)

    def _leaves(self, records: SourceColumns) -> Iterator[Leaf]:
        sequencer = self._sequencer or self._resumed()
        partitions, offsets, values = records.partitions, records.offsets, records.values
        known, row = _verdicts(values), 0
        while row < len(values):
            partition = partitions[row]
            missing = offsets[row] - sequencer.read_to.get(partition, -1) - 1
            if missing > (_MAX_CONTROL_RECORDS if partition in self._looked else 0):
                yield from self._before(sequencer, records.record(row))
            self._looked.add(partition)
            stride = _MAX_CONTROL_RECORDS + 1
            leaves, after = sequencer.take_known(partitions, offsets, values, known, start=row, stride=stride)
            yield from leaves
            if after == row:
                leaf, after = self._take(sequencer, records.record(row)), row + 1
                if leaf is not None:
                    yield leaf
            row = after

    def _look_again(self, ctx: Any, wait_ms: int) -> None:
        due = int(time.time() * 1000) + wait_ms
        self._due.update(due)
        ctx.timer_service().register_processing_time_timer(due)

    def _resumed(self) -> Sequencer:
        view = self._committed.view(REMEMBERED_EVENTS, settled=True)
        self._committed.check_events(view)
        self._sequencer = view.sequencer()
        return self._sequencer

    def _before(self, sequencer: Sequencer, record: SourceRecord) -> Iterator[Leaf]:
        """What is committed in `events` between what was taken in last and this record; and the event of what is gone
        there by retention, which nobody can make up for."""
        yield from self._gap(sequencer, record)
        for earlier in self._committed.events(_next(sequencer, record.partition)):
            if earlier.partition == record.partition:
                if earlier.offset >= record.offset:
                    break
                yield from self._take_all(sequencer, [earlier])

    def _gap(self, sequencer: Sequencer, record: SourceRecord) -> Iterator[Leaf]:
        partition, topic = record.partition, self._topics.events
        if partition not in sequencer.read_to and sequencer.end.size:
            return  # The leaves are of a former release, and do not tell how far it read.
        first = sequencer.read_to.get(partition, -1) + 1
        for gap in gaps(self._committed.bounds(topic), {partition: first}):
            _log.error("%s/%d: offsets %d to %d are gone and have no leaf", topic, partition, gap.first, gap.end - 1)
            told = InputGap(topic=topic, partition=partition, first=gap.first, end=gap.end)
            sequencer.read_to[partition] = gap.end - 1
            leaf = sequencer.put(audit_event(told, record.timestamp_ms), partition, gap.end - 1)
            if leaf is not None:
                yield leaf

    def _take_all(self, sequencer: Sequencer, records: Iterable[SourceRecord]) -> Iterator[Leaf]:
        for record in records:
            leaf = self._take(sequencer, record)
            if leaf is not None:
                yield leaf

    def _take(self, sequencer: Sequencer, record: SourceRecord) -> Leaf | None:
        try:
            return sequencer.take(record.partition, record.offset, record.value)
        except EventRefused as error:
            self._skipped.add(f"{self._topics.events}/{record.partition}@{record.offset}", str(error))
            return None

    def _bundles(self, leaves: Iterator[Leaf]) -> Iterator[bytes]:
        while frames := [self._frames.frame(leaf) for leaf in itertools.islice(leaves, _BUNDLE_LEAVES)]:
            yield pack_bundle(Kind.SINK, frames)


class Sign(KeyedProcessFunction):
    """Bundles of committed leaves in, signed tree heads out. Output: sink frames of topic checkpoints."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, ctx: Any) -> None:
        self._topics = self._settings.topics
        self._committed = CommittedLog(self._settings)
        self._state: SignerState | None = None
        self._signed_ms = 0
        # Nothing that this run of the job writes is committed before all its operators run.
        self._history = self._committed.bounds(self._topics.audit)[0].end
        self._skipped = Tally(_log)
        self._due = ctx.get_state(ValueStateDescriptor("due", Types.LONG()))

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        records = SourceColumns.of(bytes(value), plain_events.WORTH_IT)
        if self._state is None and records.offsets:
            # Of its own job's leaves there may be thousands by now, and while they are read no checkpoint goes past.
            self._state = self._committed.state_before(records.offsets[0])
        self._state = self._after_all(self._state or self._resumed(), records)
        if self._due.value() is None:
            now_ms = int(time.time() * 1000)
            due = now_ms + pause_ms(now_ms, self._signed_ms, self._settings.tree_head_interval_ms)
            self._due.update(due)
            ctx.timer_service().register_processing_time_timer(due)
        return iter(())

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[bytes]:
        self._due.clear()
        self._signed_ms = int(time.time() * 1000)
        state = self._state or self._resumed()
        note = signer.checkpoint(state, self._committed.key, self._settings.log_origin)
        yield sink_frame(self._topics.checkpoints, None, note, [tree_header(state)])

    def _resumed(self) -> SignerState:
        """The log as it stands committed; Flink gives part of it again."""
        self._state = self._committed.view().state
        return self._state

    def _after_all(self, state: SignerState, records: SourceColumns) -> SignerState:
        offsets, leaves, row = records.offsets, records.values, 0
        plain = plain_events.leaves(leaves) if len(leaves) >= plain_events.WORTH_IT else [False] * len(leaves)
        while row < len(leaves):
            state, row = signer.append_plain(state, offsets, leaves, plain, row)
            if row < len(leaves):
                state, row = self._after(state, records.record(row)), row + 1
        return state

    def _after(self, state: SignerState, record: SourceRecord) -> SignerState:
        if record.offset <= state.last_offset:
            return state
        where = f"{self._topics.audit}/{record.partition}@{record.offset}"
        try:
            return signer.append(state, record.offset, record.value)
        except NotNext as error:
            # Of what was there at the start the sequencer knows: it has gone on from the log without it.
            if error.ahead and record.offset >= self._history:
                raise LeavesLost(f"{where}: {error}") from error
            self._skipped.add(where, str(error))
            return state


def pause_ms(now_ms: int, signed_ms: int, every_ms: int) -> int:
    """How long until the next tree head: hardly where the last one is long ago, as participants wait for it before they
    train; and never longer than between two of them, though the clock may have been set back meanwhile."""
    return max(_GATHER_MS, min(signed_ms + every_ms - now_ms, every_ms))


def _verdicts(values: list[bytes]) -> list[Attributes | None]:
    """Of each record what is known before it is decoded."""
    return plain_events.verdicts(values) if len(values) >= plain_events.WORTH_IT else [None] * len(values)


def _next(sequencer: Sequencer, partition: int | None = None) -> dict[int, int]:
    """Where to read on in `events`, by partition."""
    start = {number: offset + 1 for number, offset in sequencer.read_to.items()}
    return start if partition is None or partition in start else {**start, partition: 0}
