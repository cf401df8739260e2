"""Reconciles verdicts and leaves. The leaf is the verdict: the topic `verdicts` is not signed, and who may write to the
brokers may write there, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from fluvial.auditor.log import Leaf, Log, Source
from fluvial.auditor.patience import Patience
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.report import Problems, Reconciled
from fluvial.auditor.settling import Settling
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError
from fluvial.wire.records import Verdict

CHECK = "verdicts"


@dataclass(frozen=True, slots=True)
class Unproven:
    """A record of the topic that decodes as a verdict, and of which the log has no leaf."""

    where: TopicRecord
    verdict: Verdict


@dataclass(slots=True)
class Judged:
    """The verdict of each source as its leaf has it, and what stands in the topic without a leaf, in its order."""

    verdicts: dict[Source, Leaf[Verdict]]
    unproven: dict[Source, list[Unproven]] = field(default_factory=dict)
    settling: Settling = field(default_factory=Settling)
    total: int = 0
    matched: int = 0
    expired: int = 0

    def waiting(self, source: Source, record_sha256: bytes) -> Verdict | None:
        """The first verdict without a leaf that is of a record with this digest; from now on it waits for its leaf."""
        for number, each in enumerate(self.unproven.get(source, ())):
            if each.verdict.record_sha256 == record_sha256:
                self.settling.waiting(each.where)
                del self.unproven[source][number]
                return each.verdict
        return None

    def reconciled(self, patience: Patience, problems: Problems, skipped: Problems) -> Reconciled:
        """Once all inputs are read: what still waits for a leaf, and what is of no record."""
        pending, overdue = self.settling.overdue(patience)
        for record in overdue:
            problems.add(CHECK, record, "has no leaf in the log, though newer verdicts have, or for too long")
        for source, others in self.unproven.items():
            for each in others:
                skipped.add(CHECK, each.where, f"judges {describe(source)}, but is of no record there, and has no leaf")
        return Reconciled(total=self.total, matched=self.matched, pending=pending, expired=self.expired)


def read_verdicts(
    records: Iterator[TopicRecord],
    begin_offsets: Mapping[int, int],
    log: Log,
    judged_topics: frozenset[str],
    problems: Problems,
    skipped: Problems,
) -> Judged:
    """Check the topic `verdicts` against the log.

    1. Each leaf's verdict is on a record of the judged topics and stands in the topic with the same bytes, unless
    retention took it. 2. What else is in the topic is skipped: bytes that are no verdict, copies, and others on a
    source of which the log has the verdict. 3. A verdict without a leaf is looked at with the record that it judges.
    """
    judged = Judged(verdicts=log.verdicts)
    matched: set[Source] = set()
    others: dict[Source, list[TopicRecord]] = {}
    for record in records:
        judged.total += 1
        data = record.value or b""
        try:
            verdict = framing.decode(data, Verdict)
        except DecodeError as error:
            skipped.add(CHECK, record, f"no Verdict: {error}")
            continue
        source = (verdict.source_topic, verdict.source_partition, verdict.source_offset)
        leaf = log.verdicts.get(source)
        if leaf is None:
            judged.unproven.setdefault(source, []).append(Unproven(record, verdict))
        elif leaf.data_sha256 != sha256(data).digest():
            others.setdefault(source, []).append(record)
        elif source in matched:
            skipped.add(CHECK, record, f"repeats the verdict on {describe(source)}")
        else:
            matched.add(source)
            judged.settling.settled(record)
    judged.matched = len(matched)
    retention_took_some = any(begin_offsets.values())
    for source, leaf in log.verdicts.items():
        if source[0] not in judged_topics:
            problems.add(CHECK, "", f"leaf {leaf.sequence} judges a record of {source[0]}, which has no verdicts")
        elif source in matched:
            for record in others.get(source, ()):
                skipped.add(CHECK, record, f"is not the verdict on {describe(source)} that the log holds")
        elif source in others:
            record = others[source][0]
            problems.add(
                CHECK, record, f"differs from leaf {leaf.sequence}, the verdict on {describe(source)} in the log"
            )
        elif retention_took_some:
            judged.expired += 1
        else:
            problems.add(
                CHECK, "", f"leaf {leaf.sequence} holds a verdict on {describe(source)} that is not in the topic"
            )
    return judged


def describe(source: Source) -> str:
    """A source as people write it."""
    return f"{source[0]}/{source[1]}@{source[2]}"
