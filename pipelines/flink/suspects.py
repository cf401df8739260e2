"""Which items an operator had in hand when it raised, and which of them it goes on without. Pure.

An item is a record of a topic, or a message between operators. A bundle is many items: when an operator raises on one,
each item of it is a suspect, and from the next start on suspects are handled one by one, so that the guilty one is
found and the innocent ones pass. An item that failed `attempts - 1` times, once of them alone, is set aside the next
time: the operator is not called, so nothing of a failed call is ever kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fluvial.wire.records import Failure


@dataclass(slots=True)
class _Suspect:
    failures: int = 0
    alone: Failure | None = None


class Suspects:
    """The suspects of one operator in one submission of its job, as topic failures tells of them."""

    def __init__(self, operator: str, submission: str, attempts: int, failures: Iterable[Failure] = ()) -> None:
        """attempts: how often an item is tried before it is set aside, itself included. failures: equal ones are copies
        of one, which whoever may write to the topic can make, their proof included."""
        self._operator, self._submission, self._attempts = operator, submission, attempts
        self._items: dict[str, _Suspect] = {}
        for failure in dict.fromkeys(failures):
            self.note(failure)

    def note(self, failure: Failure) -> None:
        """The operator raised once more."""
        if (failure.operator, failure.submission) != (self._operator, self._submission) or failure.set_aside:
            return
        for item in failure.items:
            suspect = self._items.setdefault(item, _Suspect())
            suspect.failures += 1
            if len(failure.items) == 1:
                suspect.alone = failure

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item: str) -> bool:
        return item in self._items

    def condemned(self, item: str) -> Failure | None:
        """How it failed last, if the item is to be set aside."""
        suspect = self._items.get(item)
        if suspect is None or suspect.failures < self._attempts - 1:
            return None
        return suspect.alone

    def acquit(self, items: Iterable[str]) -> None:
        """The operator has handled these."""
        for item in items:
            self._items.pop(item, None)

    def apart(self, items: list[str]) -> list[range]:
        """How to divide a bundle: ranges of its items, in order, each suspect alone, those between them together."""
        parts, start = [], 0
        for place, item in enumerate(items):
            if item in self._items:
                if start < place:
                    parts.append(range(start, place))
                parts.append(range(place, place + 1))
                start = place + 1
        if start < len(items):
            parts.append(range(start, len(items)))
        return parts
