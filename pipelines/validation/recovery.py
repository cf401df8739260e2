"""What the committed log says of records that were judged: where a stage without state goes on. Pure folds.

Verdicts tell which records need no second one, and what was accepted or has failed: the gate's memory. Receipts tell
which accepted updates are answered. Those that are not may be lost to the window, and are handed on to it again.

Only rounds that still matter are looked at, so what is remembered is bounded whatever the log holds: an update that no
round takes any more is neither a repeat worth telling, nor missed by a window.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fluvial.admission.judgement import Place
from fluvial.admission.over_rate import offsets_of
from fluvial.wire.records import Decision, OverRate, Reason, Receipt, Verdict
from governance.admission.reports import ReportsSeen, subject_of
from pipelines.flink.offsets import Bounds
from pipelines.validation.accepted_records import FirstRemembered, ParticipantMemory
from pipelines.validation.judged_places import JudgedPlaces

FAILURES = frozenset(
    {
        Reason.INCOMPLETE,
        Reason.CHUNK_MISMATCH,
        Reason.NON_FINITE,
        Reason.NORM_EXCEEDED,
        Reason.CHUNK_CLAIMED,
        Reason.LOW_SCORE,
    }
)
"""Reasons that only evidence gives."""

_Update = tuple[str, int, int, str, str]
"""Task, round, attempt, participant and id of an update."""


@dataclass(slots=True)
class Judged:
    """unanswered: place and SHA-256 of the accepted updates without a receipt. memories: by participant. reports:
    accepted measurements."""

    places: JudgedPlaces = field(default_factory=JudgedPlaces)
    unanswered: dict[Place, bytes] = field(default_factory=dict)
    memories: dict[str, ParticipantMemory] = field(default_factory=dict)
    reports: ReportsSeen = field(default_factory=ReportsSeen)

    def first_wanted(self, topic: str, bounds: Mapping[int, Bounds]) -> dict[int, int]:
        """By partition where to begin to read: at the first record that has no verdict, or is to be handed on again."""
        first = self.places.first_wanted(topic, bounds)
        for of_topic, partition, offset in self.unanswered:
            if of_topic == topic and partition in first:
                first[partition] = min(first[partition], max(offset, bounds[partition].first))
        return first


def judged(
    verdicts: Iterable[Verdict | OverRate],
    receipts: Iterable[Receipt],
    updates_topic: str,
    reports_topic: str,
    first_remembered: FirstRemembered,
) -> Judged:
    """The fold. first_remembered: the first round of a task that still matters. Raises Malformed for what no gate
    writes."""
    found = Judged()
    accepted: dict[_Update, tuple[Place, bytes]] = {}
    failed: set[Place] = set()  # a verdict may come again: whoever writes to the topic can copy it with its proof
    for verdict in verdicts:
        if isinstance(verdict, OverRate):
            found.places.add_ranges(verdict.source_topic, verdict.source_partition, offsets_of(verdict))
            continue
        topic, partition, offset = verdict.source_topic, verdict.source_partition, verdict.source_offset
        found.places.add(topic, partition, offset)
        if topic == reports_topic and verdict.decision is Decision.ACCEPT:
            found.reports.accept(subject_of(verdict), verdict.record_sha256)
        if topic != updates_topic or not verdict.task or verdict.round < first_remembered(verdict.task):
            continue
        if verdict.decision is Decision.ACCEPT:
            memory = found.memories.setdefault(verdict.participant, ParticipantMemory())
            memory.remember(verdict.task, verdict.round, verdict.attempt, verdict.record_sha256)
            update = verdict.task, verdict.round, verdict.attempt, verdict.participant, verdict.update_id
            accepted[update] = (topic, partition, offset), verdict.record_sha256
        elif verdict.reason in FAILURES and (topic, partition, offset) not in failed:
            failed.add((topic, partition, offset))
            memory = found.memories.setdefault(verdict.participant, ParticipantMemory())
            memory.note_failure(verdict.task, verdict.round)
    for receipt in receipts:
        accepted.pop((receipt.task, receipt.round, receipt.attempt, receipt.participant, receipt.update_id), None)
    found.unanswered = dict(accepted.values())
    found.places.close()
    return found
