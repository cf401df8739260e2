"""Reconciles inputs and verdicts: each input has one verdict on its very bytes, which holds when it is taken again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from hashlib import sha256

from fluvial.admission.case import claimed_name
from fluvial.admission.over_rate import verdict_on
from fluvial.auditor.audit import Audit
from fluvial.auditor.leaves import Source, leaves_from, source_of
from fluvial.auditor.reader import TopicRecord, describe
from fluvial.auditor.refused import place_of
from fluvial.auditor.report import Reconciled
from fluvial.auditor.settling import Settling
from fluvial.auditor.shelf import Relation, key
from fluvial.auditor.verdicts import Judged
from fluvial.wire.records import OverRate, Verdict

CHECK = "inputs"

Rejudge = Callable[[TopicRecord, Verdict, int | None], str]
"""Why a verdict on a record cannot be, empty where it can; with the number of the verdict's leaf."""


def read_inputs(
    audit: Audit,
    topic: str,
    records: Iterator[TopicRecord],
    begin_offsets: Mapping[int, int],
    judged: Judged,
    rejudge: Rejudge,
    note: Callable[[TopicRecord], None] = lambda record: None,
) -> Reconciled:
    """Check a topic of inputs against the verdicts.

    1. Each record has a verdict, or is too new. 2. The verdict names the SHA-256 of the record's bytes and its broker
    time, and holds when it is taken again; likewise of records that were refused many at once, whose digest is over all
    of them. One that has no leaf yet and cannot be the verdict on its record says nothing: anybody may have written it.
    3. Every verdict's record stands in the topic, unless retention took it.
    note: called with each record before its verdict is looked at.
    """
    inputs = _Inputs(audit, topic, judged, rejudge)
    for record in records:
        note(record)
        inputs.take(record)
    pending, overdue = inputs.settling.overdue(audit.patience)
    for record in overdue:
        audit.findings.problems.add(CHECK, record, "has no verdict, though newer records have, or for too long")
    expired = inputs.missing(begin_offsets) + inputs.missing_of_many(begin_offsets)
    return Reconciled(total=inputs.total, matched=inputs.matched, pending=pending, expired=expired)


class _Inputs:
    """The records of one topic, and what became of them."""

    def __init__(self, audit: Audit, topic: str, judged: Judged, rejudge: Rejudge) -> None:
        self._before, self._problems = audit.before, audit.findings.problems
        self._topic, self._judged, self._rejudge = topic, judged, rejudge
        self._found = Relation(judged.shelf)
        self.settling = Settling()
        self.total = self.matched = 0

    def take(self, record: TopicRecord) -> None:
        """Hold a record against its verdict."""
        source = (self._topic, record.partition, record.offset)
        leaf = self._judged.verdicts.get(source)
        together = self._judged.refused.of(source)
        told = leaf if together is None else together.about
        if told is not None and self._before.covers(told.sequence):
            self.settling.settled(record)
            return
        self.total += 1
        self._found.add(key(record.partition, record.offset))
        digest = sha256(record.value or b"").digest()
        if told is None:
            self._take_unproven(record, source, digest)
            return
        self.settling.settled(record)
        if together is not None:
            together.see(digest)
            why = _why_not_refused(record, digest, together.refused, self._rejudge, together.about.sequence)
            if leaf is not None:
                why = f"has two verdicts, in leaf {leaf.sequence} and in leaf {together.about.sequence}"
        else:
            assert leaf is not None
            why = _why_not(record, digest, leaf.record) or self._rejudge(record, leaf.record, leaf.sequence)
        if why:
            self._problems.add(CHECK, record, why)
        else:
            self.matched += 1

    def _take_unproven(self, record: TopicRecord, source: Source, digest: bytes) -> None:
        """A record of which no leaf tells."""
        holds = partial(_holds, record, digest, self._rejudge)
        refusal_holds = partial(_refusal_holds, holds, record)
        if self._judged.waiting(source, holds) or self._judged.waiting_refused(source, refusal_holds):
            self.settling.settled(record)
            self.matched += 1
        else:
            self.settling.waiting(record)

    def missing(self, begin_offsets: Mapping[int, int]) -> int:
        """Whether the topic has all that was judged; how many records retention took."""
        expired = 0
        for leaf in leaves_from(self._judged.verdicts, self._before.size):
            topic, partition, offset = source_of(leaf)
            if topic != self._topic or self._found.has(key(partition, offset)):
                continue
            if offset < begin_offsets.get(partition, 0):
                expired += 1
            else:
                self._problems.add(CHECK, describe(source_of(leaf)), "has a verdict, but is not in the topic")
        return expired

    def missing_of_many(self, begin_offsets: Mapping[int, int]) -> int:
        """Likewise of what was refused many at once."""
        expired = 0
        for seen in self._judged.refused.of_topic(self._topic):
            if self._before.covers(seen.about.sequence):
                continue
            where = describe(place_of(seen.refused))
            if seen.is_of_other_bytes():
                why = f"what was refused from here on in leaf {seen.about.sequence} had other bytes"
                self._problems.add(CHECK, where, why)
            gone = seen.num_records - seen.num_from(begin_offsets.get(seen.refused.source_partition, 0))
            expired += gone
            if missing := max(0, seen.num_records - gone - seen.num_seen):
                self._problems.add(CHECK, where, f"{missing} of the records refused from here on are not in the topic")
        return expired


def _why_not(record: TopicRecord, digest: bytes, verdict: Verdict) -> str:
    if verdict.record_sha256 != digest:
        return "is not the record that its verdict judged: the SHA-256 differs"
    if verdict.source_timestamp_ms != record.timestamp_ms:
        return f"has broker time {record.timestamp_ms}, its verdict {verdict.source_timestamp_ms}"
    return ""


def _holds(record: TopicRecord, digest: bytes, rejudge: Rejudge, verdict: Verdict) -> bool:
    """Whether a verdict that has no leaf yet can be the one on the record."""
    return not (_why_not(record, digest, verdict) or rejudge(record, verdict, None))


def _refusal_holds(holds: Callable[[Verdict], bool], record: TopicRecord, refused: OverRate) -> bool:
    return holds(_verdict_on(record, sha256(record.value or b"").digest(), refused))


def _why_not_refused(record: TopicRecord, digest: bytes, refused: OverRate, rejudge: Rejudge, sequence: int) -> str:
    if record.offset == refused.first and record.timestamp_ms != refused.source_timestamp_ms:
        return f"has broker time {record.timestamp_ms}, its refusal {refused.source_timestamp_ms}"
    return rejudge(record, _verdict_on(record, digest, refused), sequence)


def _verdict_on(record: TopicRecord, digest: bytes, refused: OverRate) -> Verdict:
    participant = refused.participant or claimed_name(record.key)
    return verdict_on(refused, record.offset, participant, record.timestamp_ms, digest)
