"""What validation does with a record that it cannot handle, when the guard of the job has found it guilty.

Each record has one verdict, these too: UNHANDLED, which holds the record for a person to look at. A record in hand is
set aside by its place. One that waits is judged in a timer among others: then each of them is judged by itself, and
where the judgement raises, that is its verdict. The judgement is a pure function, so it has left no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fluvial.wire.foreign_text import logger
from fluvial.wire.records import Failure
from governance.admission import gate
from pipelines.flink.bundles import parse_sources
from pipelines.flink.frames import SourceRecord
from pipelines.validation.known import source_of
from pipelines.validation.operators.judging import Judging, now_ms

_log = logger(__name__)


class HoldsUnhandled(Judging):
    """An operator whose lanes judge by `one_by_one`."""

    _alone = False
    """Whether each record is judged by itself."""

    def set_aside(self, value: bytes, ctx: Any, failure: Failure) -> Iterator[bytes]:
        """What follows for a record that every call with it has failed on: its verdict."""
        self._begin(ctx)
        self._lanes.of(ctx.get_current_key())
        (record,) = parse_sources(bytes(value))
        if not self._has_verdict(record):
            self.settled(record, self.held(record))
        return self._end(ctx, now_ms())

    def timer_set_aside(self, timestamp: int, ctx: Any, failure: Failure) -> Iterator[bytes]:
        """A timer that has failed each time, once more, so that one record cannot stop the others."""
        self._alone = True
        try:
            return iter(list(self.on_timer(timestamp, ctx)))
        finally:
            self._alone = False

    def one_by_one(
        self, records: Sequence[SourceRecord], judge: Callable[[Sequence[SourceRecord]], Iterator[Any]]
    ) -> Iterator[Any]:
        """The judgements of records: together, as a rule; each by itself where one of them may be guilty."""
        if not self._alone:
            yield from judge(records)
            return
        for record in records:
            try:
                yield from judge([record])
            except Exception:
                _log.exception("no judgement of %s/%d@%d", self._topic, record.partition, record.offset)
                yield self.held(record)

    def held(self, record: SourceRecord) -> gate.Refused:
        """The outcome of a record that cannot be judged."""
        return gate.unhandled(record.value, source_of(record, self._topic))
