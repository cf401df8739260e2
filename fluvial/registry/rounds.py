"""The order of a task's rounds, the one that everybody follows.

Rounds only move forward. A copy of an old record, genuinely signed, takes nobody back.
"""

from __future__ import annotations

from fluvial.identity.envelope import unseal
from fluvial.wire.records import Round, RoundStatus

Place = tuple[int, int, int]
"""Round, attempt, and what is said of them: a pause comes before its round is opened, an end after it."""

_ORDER = (RoundStatus.PAUSED, RoundStatus.OPEN, RoundStatus.FINISHED, RoundStatus.REMOVED)


def place(record: Round) -> Place:
    """Where a record stands in the order of its task's rounds."""
    return record.round, record.attempt, _ORDER.index(record.status)


def is_ahead(round_number: int, attempt: int, newest: Round) -> bool:
    """Whether this attempt was opened after all that the newest record known tells of."""
    return (round_number, attempt, _ORDER.index(RoundStatus.OPEN)) > place(newest)


def is_over(record: Round) -> bool:
    """Whether no round follows, as far as is known: the task has finished, or was removed."""
    return record.status in (RoundStatus.FINISHED, RoundStatus.REMOVED)


class NewestRounds:
    """The newest round of each task, each believed for the aggregator's signature. aggregator_key: Ed25519 public key,
    32 bytes. scope: `Topics.scope`."""

    def __init__(self, aggregator_key: bytes, scope: str = "") -> None:
        self._aggregator_key, self._scope = aggregator_key, scope
        self._newest: dict[str, Round] = {}

    def apply(self, raw: bytes) -> Round | None:
        """Take in a record of topic rounds. The round, if it is newer than what is known of its task.

        Raises DecodeError, SignatureInvalid.
        """
        record = unseal(raw, Round, self._aggregator_key, self._scope)
        return record if self.take(record) else None

    def take(self, record: Round) -> bool:
        """Take in a record that is verified. Whether it is newer than what is known of its task."""
        known = self._newest.get(record.task)
        if known is not None and place(record) <= place(known):
            return False
        self._newest[record.task] = record
        return True

    def newest(self, task: str) -> Round | None:
        """The task's newest round, open or finished."""
        return self._newest.get(task)

    def all_newest(self) -> list[Round]:
        """The newest round of every task, by task."""
        return [self._newest[task] for task in sorted(self._newest)]
