"""Reconciles inputs and verdicts: each input has one verdict on its very bytes, which holds when it is taken again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from hashlib import sha256

from fluvial.admission.case import claimed_name
from fluvial.admission.over_rate import verdict_on
from fluvial.auditor.leaves import leaves_from, source_of
from fluvial.auditor.patience import Patience
from fluvial.auditor.reader import TopicRecord, describe
from fluvial.auditor.refused import place_of
from fluvial.auditor.report import Problems, Reconciled
from fluvial.auditor.settling import Settling
from fluvial.auditor.shelf import Relation, key
from fluvial.auditor.since import Since
from fluvial.auditor.verdicts import Judged
from fluvial.wire.records import OverRate, Verdict

CHECK = "inputs"
_EVERYTHING = Since()

Rejudge = Callable[[TopicRecord, Verdict, int | None], str]
"""Why a verdict on a record cannot be, empty where it can; with the number of the verdict's leaf."""


def read_inputs(
    topic: str,
    records: Iterator[TopicRecord],
    begin_offsets: Mapping[int, int],
    judged: Judged,
    rejudge: Rejudge,
    patience: Patience,
    problems: Problems,
    note: Callable[[TopicRecord], None] = lambda record: None,
    before: Since = _EVERYTHING,
) -> Reconciled:
    """Check a topic of inputs against the verdicts.

    1. Each record has a verdict, or is too new. 2. The verdict names the SHA-256 of the record's bytes and its broker
    time, and holds when it is taken again; likewise of records that were refused many at once, whose digest is over all
    of them. One that has no leaf yet and cannot be the verdict on its record says nothing: anybody may have written it.
    3. Every verdict's record stands in the topic, unless retention took it.
    note: called with each record before its verdict is looked at. before: what an earlier audit has looked at.
    """
    settling = Settling()
    total = matched = 0
    found = Relation(judged.shelf)
    for record in records:
        note(record)
        source = (topic, record.partition, record.offset)
        leaf = judged.verdicts.get(source)
        together = judged.refused.of(source)
        told = leaf if together is None else together.about
        if told is not None and before.covers(told.sequence):
            settling.settled(record)
            continue
        total += 1
        found.add(key(record.partition, record.offset))
        digest = sha256(record.value or b"").digest()
        if together is not None:
            settling.settled(record)
            together.see(digest)
            why = _why_not_refused(record, digest, together.refused, rejudge, together.about.sequence)
            if leaf is not None:
                why = f"has two verdicts, in leaf {leaf.sequence} and in leaf {together.about.sequence}"
            if why:
                problems.add(CHECK, record, why)
            else:
                matched += 1
            continue
        if leaf is None:
            holds = partial(_holds, record, digest, rejudge)
            if judged.waiting(source, holds) or judged.waiting_refused(source, partial(_refusal_holds, holds, record)):
                settling.settled(record)
                matched += 1
            else:
                settling.waiting(record)
            continue
        settling.settled(record)
        if why := _why_not(record, digest, leaf.record) or rejudge(record, leaf.record, leaf.sequence):
            problems.add(CHECK, record, why)
        else:
            matched += 1
    pending, overdue = settling.overdue(patience)
    for record in overdue:
        problems.add(CHECK, record, "has no verdict, though newer records have, or for too long")
    expired = 0
    for leaf in leaves_from(judged.verdicts, before.size):
        source = source_of(leaf)
        if source[0] != topic or found.has(key(*source[1:])):
            continue
        if source[2] < begin_offsets.get(source[1], 0):
            expired += 1
        else:
            problems.add(CHECK, describe(source), "has a verdict, but is not in the topic")
    for seen in judged.refused.of_topic(topic):
        if before.covers(seen.about.sequence):
            continue
        where = describe(place_of(seen.refused))
        if seen.is_of_other_bytes():
            problems.add(CHECK, where, f"what was refused from here on in leaf {seen.about.sequence} had other bytes")
        gone = seen.num_records - seen.num_from(begin_offsets.get(seen.refused.source_partition, 0))
        expired += gone
        if seen.num_seen + gone < seen.num_records:
            missing = seen.num_records - gone - seen.num_seen
            problems.add(CHECK, where, f"{missing} of the records refused from here on are not in the topic")
    return Reconciled(total=total, matched=matched, pending=pending, expired=expired)


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
