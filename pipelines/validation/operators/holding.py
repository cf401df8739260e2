"""What validation does with a record that it cannot handle, when the guard of the job has found it guilty.

Each record has one verdict, these too: UNHANDLED, which holds the record for a person to look at. A record in hand is
set aside by its place. One that waits is judged in a timer among others: then each of them is judged by itself, and
where the judgement raises, that is its verdict. The judgement is a pure function, so it has left no trace.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fluvial.wire.records import Failure
from governance.admission import gate
from pipelines.flink.bundles import parse_sources
from pipelines.flink.frames import SourceRecord
from pipelines.validation.operators.trusted_records import WithTrustedRecords, source_of

_log = logging.getLogger(__name__)


class HoldsUnhandled(WithTrustedRecords, ABC):
    """An operator whose lanes judge by `one_by_one`, and that gives what a call became by `_begin` and `_finish`."""

    _alone = False
    """Whether each record is judged by itself."""

    @property
    @abstractmethod
    def input_topic(self) -> str:
        """Full name of the topic whose records are judged."""

    def set_aside(self, value: bytes, ctx: Any, failure: Failure) -> Iterator[bytes]:
        """What follows for a record that every call with it has failed on: its verdict."""
        _, at_ms = self._begin(ctx)
        (record,) = parse_sources(bytes(value))
        self.settled(record, self.held(record))
        return self._finish(ctx, at_ms)

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
                _log.exception("no judgement of %s/%d@%d", self.input_topic, record.partition, record.offset)
                yield self.held(record)

    def held(self, record: SourceRecord) -> gate.Refused:
        """The outcome of a record that cannot be judged."""
        return gate.unhandled(record.value, source_of(record, self.input_topic))
