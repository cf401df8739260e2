"""From which leaf on an attempt of a round was over: looked up, however many rounds there were.

A participant may send as many updates for former rounds as it likes, each signed and each refused as stale, so an
answer must not cost a walk over all rounds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict

from fluvial.auditor.log import Log
from fluvial.wire.records import RoundTransition

_Place = tuple[int, int]
"""Round and attempt."""


class _Later:
    """The least number of a leaf among those of places that come later."""

    def __init__(self, leaves: list[tuple[_Place, int]]) -> None:
        leaves.sort()
        self._places = [place for place, _ in leaves]
        self._least = [sequence for _, sequence in leaves]
        for at in range(len(leaves) - 2, -1, -1):
            self._least[at] = min(self._least[at], self._least[at + 1])

    def after(self, place: _Place) -> int | None:
        at = bisect_right(self._places, place)
        return self._least[at] if at < len(self._least) else None

    def from_(self, place: _Place) -> int | None:
        at = bisect_left(self._places, place)
        return self._least[at] if at < len(self._least) else None


class RoundEnds:
    """What the leaves of a log say; some 100 bytes a round. A pause names the round that is opened next, an end the
    last one."""

    def __init__(self, log: Log) -> None:
        next_ones: dict[str, list[tuple[_Place, int]]] = defaultdict(list)
        last_ones: dict[str, list[tuple[_Place, int]]] = defaultdict(list)
        for leaf in log.opened.each():
            next_ones[leaf.record.task].append(((leaf.record.round, leaf.record.attempt), leaf.sequence))
        for leaf in log.ended.each():
            told = (leaf.record.round, leaf.record.attempt), leaf.sequence
            match leaf.record.transition:
                case RoundTransition.PAUSED:
                    next_ones[leaf.record.task].append(told)
                case RoundTransition.FINISHED | RoundTransition.REMOVED:
                    last_ones[leaf.record.task].append(told)
                case _:
                    pass
        self._next_ones = {task: _Later(leaves) for task, leaves in next_ones.items()}
        self._last_ones = {task: _Later(leaves) for task, leaves in last_ones.items()}

    def since(self, task: str, round_number: int, attempt: int) -> int | None:
        """Number of the first leaf by which this attempt takes no update any more; None where none says so."""
        place, found = (round_number, attempt), []
        if task in self._next_ones:
            found.append(self._next_ones[task].after(place))
        if task in self._last_ones:
            found.append(self._last_ones[task].from_(place))
        return min((sequence for sequence in found if sequence is not None), default=None)
