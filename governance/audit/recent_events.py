"""Which events the log holds lately: an event that comes again gets no second leaf."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from fluvial.transparency.event import REMEMBERED_EVENTS


class RecentEvents:
    """The ids of the newest leaves' events. ids: oldest first; there may be more than the capacity, and they stay until
    the next event comes."""

    def __init__(self, ids: Iterable[str] = (), capacity: int = REMEMBERED_EVENTS) -> None:
        self._order = deque(ids)
        self._ids = set(self._order)
        self._capacity = capacity

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._ids

    def __len__(self) -> int:
        return len(self._order)

    def add(self, event_id: str) -> None:
        """Note the event of the next leaf. Raises ValueError for one that is there."""
        if not self.note(event_id):
            raise ValueError(f"the event {event_id} is in the log")

    def note(self, event_id: str) -> bool:
        """Note the event of a leaf that may be the next. Says whether it was new; else all is as it was."""
        ids, order = self._ids, self._order
        if event_id in ids:
            return False
        order.append(event_id)
        ids.add(event_id)
        while len(order) > self._capacity:
            ids.discard(order.popleft())
        return True
