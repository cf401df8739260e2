"""Reconciles verdicts and leaves. The leaf is the verdict: the topic `verdicts` is not signed, and who may write to the
brokers may write there, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from hashlib import sha256

from fluvial.auditor.audit import Audit
from fluvial.auditor.leaves import Leaf, Source, leaves_from, source_of
from fluvial.auditor.reader import TopicRecord, describe
from fluvial.auditor.refused import Place, Refused, place_of
from fluvial.auditor.report import Problems, Reconciled
from fluvial.auditor.settling import Settling
from fluvial.auditor.shelf import Kept, Relation, Shelf, key
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError
from fluvial.wire.records import OverRate, Verdict

CHECK = "verdicts"
_MOST_LOOKED_AT = 16
"""Verdicts without a leaf on one record: anybody may write them."""


@dataclass(frozen=True, slots=True)
class Unproven:
    """A record of the topic that decodes as a verdict, and of which the log has no leaf."""

    where: TopicRecord
    verdict: Verdict


@dataclass(slots=True)
class Judged:
    """The verdict of each source as its leaf has it, and what stands in the topic without a leaf, in its order.
    refused, unproven_refused: likewise of sources that were refused many at once."""

    verdicts: Kept[Source, Leaf[Verdict]]
    shelf: Shelf
    refused: Refused[Leaf[OverRate]] = field(default_factory=Refused)
    unproven: dict[Source, list[Unproven]] = field(default_factory=dict)
    unproven_refused: Refused[TopicRecord] = field(default_factory=Refused)
    settling: Settling = field(default_factory=Settling)
    total: int = 0
    matched: int = 0
    expired: int = 0

    def waiting(self, source: Source, holds: Callable[[Verdict], bool]) -> bool:
        """Whether there is a verdict without a leaf that may be the one on this record; from now on it waits for its
        leaf. holds: whether one can be: the topic is not signed, and what cannot be is nobody's word."""
        for number, each in enumerate(self.unproven.get(source, ())[:_MOST_LOOKED_AT]):
            if holds(each.verdict):
                self.settling.waiting(each.where)
                del self.unproven[source][number]
                return True
        return False

    def waiting_refused(self, source: Source, holds: Callable[[OverRate], bool]) -> bool:
        """Likewise of refusals of many at once."""
        seen = self.unproven_refused.of(source)
        if seen is None or not holds(seen.refused):
            return False
        if not seen.num_seen:
            self.settling.waiting(seen.about)
        seen.num_seen += 1
        return True

    def reconciled(self, audit: Audit) -> Reconciled:
        """Once all inputs are read: what still waits for a leaf, and what is of no record."""
        skipped = audit.findings.skipped
        pending, overdue = self.settling.overdue(audit.patience)
        for record in overdue:
            audit.findings.problems.add(
                CHECK, record, "has no leaf in the log, though newer verdicts have, or for too long"
            )
        for source, others in self.unproven.items():
            for each in others:
                skipped.add(CHECK, each.where, f"judges {describe(source)}, but not what is there, and has no leaf")
        for place, seen in self.unproven_refused.all().items():
            if not seen.num_seen:
                skipped.add(CHECK, seen.about, f"refuses what follows {describe(place)}, of which nothing is there")
        return Reconciled(total=self.total, matched=self.matched, pending=pending, expired=self.expired)


def read_verdicts(
    audit: Audit,
    records: Iterator[TopicRecord],
    begin_offsets: Mapping[int, int],
    judged_topics: frozenset[str],
) -> Judged:
    """Check the topic `verdicts` against the log.

    1. Each leaf's verdict is on a record of the judged topics and stands in the topic with the same bytes, unless
    retention took it. 2. What else is in the topic is skipped: bytes that are no verdict, copies, and others on a
    source of which the log has the verdict. 3. A verdict without a leaf is looked at with the record that it judges.
    """
    log, skipped = audit.log, audit.findings.skipped
    judged = Judged(verdicts=log.verdicts, shelf=log.shelf, refused=log.refused)
    matched = Relation(log.shelf)
    others: dict[Source, list[TopicRecord]] = {}
    refused: set[Place] = set()
    for record in records:
        judged.total += 1
        data = record.value or b""
        try:
            verdict = framing.decode_either(data, Verdict, OverRate)
            if isinstance(verdict, OverRate):
                _take_refused(record, verdict, sha256(data).digest(), judged, refused, skipped)
                continue
        except DecodeError as error:
            skipped.add(CHECK, record, f"no Verdict: {error}")
            continue
        source = (verdict.source_topic, verdict.source_partition, verdict.source_offset)
        leaf = log.verdicts.get(source)
        if leaf is None:
            judged.unproven.setdefault(source, []).append(Unproven(record, verdict))
        elif leaf.data_sha256 != sha256(data).digest():
            others.setdefault(source, []).append(record)
        elif not matched.add(key(*source)):
            skipped.add(CHECK, record, f"repeats the verdict on {describe(source)}")
        else:
            judged.settling.settled(record)
    judged.matched = len(matched) + len(refused)
    retention_took_some = any(begin_offsets.values())
    judged.expired = _check_leaves(audit, judged_topics, matched, others, retention_took_some)
    judged.expired += _check_leaves_of_many(audit, judged_topics, refused, retention_took_some)
    return judged


def _check_leaves(
    audit: Audit,
    judged_topics: frozenset[str],
    matched: Relation,
    others: Mapping[Source, Sequence[TopicRecord]],
    retention_took_some: bool,
) -> int:
    """Whether the topic has the leaves' verdicts; how many retention may have taken. others: by source, records that
    are not as the leaf holds them."""
    problems, expired = audit.findings.problems, 0
    for leaf in leaves_from(audit.log.verdicts, audit.before.size):
        source = source_of(leaf)
        named = f"leaf {leaf.sequence}"
        if source[0] not in judged_topics:
            problems.add(CHECK, "", f"{named} judges a record of {source[0]}, which has no verdicts")
        elif matched.has(key(*source)):
            for record in others.get(source, ()):
                why = f"is not the verdict on {describe(source)} that the log holds"
                audit.findings.skipped.add(CHECK, record, why)
        elif source in others:
            problems.add(
                CHECK, others[source][0], f"differs from {named}, the verdict on {describe(source)} in the log"
            )
        elif retention_took_some:
            expired += 1
        else:
            problems.add(CHECK, "", f"{named} holds a verdict on {describe(source)} that is not in the topic")
    return expired


def _check_leaves_of_many(
    audit: Audit, judged_topics: frozenset[str], matched: Set[Place], retention_took_some: bool
) -> int:
    """Likewise of those that refuse many at once."""
    problems, expired = audit.findings.problems, 0
    for place, seen in audit.log.refused.all().items():
        sequence = seen.about.sequence
        if audit.before.covers(sequence):
            continue
        if place[0] not in judged_topics:
            problems.add(CHECK, "", f"leaf {sequence} refuses records of {place[0]}, which has no verdicts")
        elif place in matched:
            continue
        elif retention_took_some:
            expired += 1
        else:
            problems.add(CHECK, "", f"leaf {sequence} refuses records from {describe(place)} on, as the topic does not")
    return expired


def _take_refused(
    record: TopicRecord, verdict: OverRate, data_sha256: bytes, judged: Judged, matched: set[Place], skipped: Problems
) -> None:
    """An `OverRate` of the topic. Raises Malformed where it is none that a gate writes."""
    place = place_of(verdict)
    known = judged.refused.at(place)
    if known is None:
        other = judged.unproven_refused.add(verdict, record)
        if other is not None:
            skipped.add(CHECK, record, f"refuses again what {other.about} refuses, and has no leaf")
    elif known.about.data_sha256 != data_sha256:
        skipped.add(CHECK, record, f"is not what the log holds of the records from {describe(place)} on")
    elif place in matched:
        skipped.add(CHECK, record, f"repeats what is refused from {describe(place)} on")
    else:
        matched.add(place)
        judged.settling.settled(record)
