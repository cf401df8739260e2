"""Which requests were answered before: so that none is answered by two, and a copy of one, which anybody may write,
spends nobody's quota. Pure.

After a restart Flink reads again what came since its checkpoint, and a new submission what came in the last minutes;
some of that has an answer in topic results. Results are committed as they are written, and what an earlier worker
writes after it was fenced is never committed, so what the topic holds then is all that there ever will be of earlier
workers. It is read back to the oldest request that comes, and further where an older one follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from fluvial.identity.envelope import unseal
from fluvial.wire.errors import FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.records import InferenceResults
from pipelines.flink.frames import SourceRecord
from pipelines.inference.logic import Asked

ReadResults = Callable[[int], Iterable[SourceRecord]]
"""Committed records of topic results, from a broker time in milliseconds to the end."""

_log = logger(__name__)


def answers_in(records: Iterable[SourceRecord], public_key: bytes, scope: str = "") -> Iterator[tuple[str, str]]:
    """Caller and request of each answer. public_key, scope: who signs results, and for which federation; what is not
    signed so is passed over, since anybody may write to the topic."""
    for record in records:
        try:
            results = unseal(record.value, InferenceResults, public_key, scope)
        except FluvialError:
            continue
        for answer in results.answers:
            yield answer.caller, answer.request_id


REMEMBERED_MS = 120_000
"""How long an answer is remembered at least. A caller that signs no deadline, or a later one, can be copied later."""


class Answered:
    """What earlier workers answered, as far back as it was needed, and what this one did."""

    def __init__(self, read: ReadResults, public_key: bytes, scope: str = "") -> None:
        self._read, self._public_key, self._scope = read, public_key, scope
        self._known: set[tuple[str, str]] = set()
        self._since_ms: int | None = None
        self._newer: set[int] = set()
        self._older: set[int] = set()
        self._turned_ms = 0

    def unanswered(self, asked: Sequence[Asked]) -> list[Asked]:
        """Those that nobody answered, each once. Raises what reading raises."""
        if not asked:
            return []
        oldest_ms = min(one.arrived_ms for one in asked)
        if self._since_ms is None or oldest_ms < self._since_ms:
            found = set(answers_in(self._read(oldest_ms), self._public_key, self._scope))
            _log.info("%d answers were given since the broker's time %d", len(found), oldest_ms)
            self._known |= found
            self._since_ms = oldest_ms
        once = {_place(one): one for one in reversed(asked)}
        return [one for one in asked if once[_place(one)] is one and not self._is_answered(one)]

    def remember(self, asked: Iterable[Asked], now_ms: int) -> None:
        """These have an answer now."""
        if now_ms - self._turned_ms > REMEMBERED_MS:
            self._older, self._newer, self._turned_ms = self._newer, set(), now_ms
        self._newer.update(hash(_place(one)) for one in asked)

    def _is_answered(self, one: Asked) -> bool:
        place = _place(one)
        # Hashes with this process's seed: half the memory of names, and nobody can look for two that collide.
        return place in self._known or hash(place) in self._newer or hash(place) in self._older


def _place(one: Asked) -> tuple[str, str]:
    return one.request.caller, one.request.request_id
