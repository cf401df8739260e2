"""What the verdicts of a log say of its inputs, looked up by what a record is of, whichever leaf came first.

Filled while the leaves are read, so that nobody goes through all verdicts again.
"""

from __future__ import annotations

from fluvial.auditor.shelf import Relation, Shelf, key
from fluvial.wire.records import Decision, Reason, Verdict

OF_THE_CONTENT = frozenset(
    {
        Reason.INCOMPLETE,
        Reason.CHUNK_MISMATCH,
        Reason.CHUNK_CLAIMED,
        Reason.NON_FINITE,
        Reason.MAGNITUDE_EXCEEDED,
        Reason.NORM_EXCEEDED,
        Reason.LOW_SCORE,
    }
)
"""Reasons that a record has for what its chunks hold."""


class JudgedRecords:
    """Topics are told by their full names: what was accepted in one says nothing of another."""

    def __init__(self, shelf: Shelf) -> None:
        self._digests, self._updates = Relation(shelf, "accepted_digests"), Relation(shelf, "accepted_updates")
        self._of_round, self._failures = Relation(shelf, "accepted_of_round"), Relation(shelf, "failures")
        self._of_variant = Relation(shelf, "accepted_of_variant")

    def add(self, verdict: Verdict) -> None:
        """The verdict of a leaf."""
        topic, of_round = verdict.source_topic, _of_round(verdict)
        if verdict.reason in OF_THE_CONTENT:
            self._failures.add(of_round, key(verdict.source_partition, verdict.source_offset))
        if verdict.decision is Decision.ACCEPT:
            self._digests.add(key(topic), verdict.record_sha256)
            self._of_round.add(of_round, verdict.record_sha256)
            self._updates.add(key(verdict.participant, verdict.task, verdict.round, verdict.attempt, verdict.update_id))
            variant = verdict.update_id.partition("/")[0]
            named = verdict.record_sha256 + verdict.update_id.encode("utf-8", "surrogatepass")
            self._of_variant.add(key(topic, verdict.participant, verdict.task, verdict.round, variant), named)

    def has_accepted(self, topic: str, record_sha256: bytes) -> bool:
        """Whether a record of the topic with this digest was accepted."""
        return self._digests.has(key(topic), record_sha256)

    def has_accepted_another(self, verdict: Verdict) -> bool:
        """Whether a record of other bytes was accepted of the same participant for the same round."""
        return self._of_round.has_other(_of_round(verdict), verdict.record_sha256)

    def has_accepted_update(self, participant: str, task: str, round_: int, attempt: int, update_id: str) -> bool:
        """Whether one of these names was accepted."""
        return self._updates.has(key(participant, task, round_, attempt, update_id))

    def num_failures(self, verdict: Verdict) -> int:
        """Records of the same participant for the same round that were refused for their content."""
        return self._failures.count(_of_round(verdict))

    def measurements(
        self, topic: str, participant: str, task: str, version: int, variant: str
    ) -> dict[str, set[bytes]]:
        """Digests of the measurements of a variant by a participant that were accepted, by what the verdicts call
        them."""
        found: dict[str, set[bytes]] = {}
        for named in self._of_variant.values(key(topic, participant, task, version, variant)):
            found.setdefault(named[32:].decode("utf-8", "surrogatepass"), set()).add(named[:32])
        return found


def _of_round(verdict: Verdict) -> bytes:
    return key(verdict.source_topic, verdict.participant, verdict.task, verdict.round)
