"""When a record without its counterpart is too new to be a contradiction.

On a running federation what vouches for a record appears a moment after the record. By default only records newer than
the last one that is vouched for in their partition may wait; a grace time, measured by the brokers' clock, allows for
stages that answer out of order. However new it is among its kind, none may wait for ever.
"""

from fluvial.auditor.patience import Patience
from fluvial.auditor.reader import TopicRecord


class Settling:
    """Decides for one topic. Told of every record and whether it is vouched for, it then says which of the others may
    be pending.
    """

    __slots__ = ("_last_settled", "_newest_ms", "_waiting")

    def __init__(self) -> None:
        self._last_settled: dict[int, int] = {}
        self._newest_ms = 0
        self._waiting: list[TopicRecord] = []

    def settled(self, record: TopicRecord) -> None:
        """This record is vouched for."""
        self._newest_ms = max(self._newest_ms, record.timestamp_ms)
        self._last_settled[record.partition] = max(self._last_settled.get(record.partition, -1), record.offset)

    def waiting(self, record: TopicRecord) -> None:
        """This record is not."""
        self._newest_ms = max(self._newest_ms, record.timestamp_ms)
        self._waiting.append(record._replace(key=None, value=None))  # its place and time are enough

    def overdue(self, patience: Patience) -> tuple[int, list[TopicRecord]]:
        """Number of records that may be pending, and those that may not."""
        overdue = [
            record
            for record in self._waiting
            if patience.is_over(record.timestamp_ms)
            or (
                record.offset <= self._last_settled.get(record.partition, -1)
                and record.timestamp_ms <= self._newest_ms - patience.grace_ms
            )
        ]
        return len(self._waiting) - len(overdue), overdue
