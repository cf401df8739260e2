"""Reconciles inputs and verdicts: each input has one verdict on its very bytes, which holds when it is taken again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256

from fluvial.auditor.patience import Patience
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.report import Problems, Reconciled
from fluvial.auditor.settling import Settling
from fluvial.auditor.verdicts import Judged, describe
from fluvial.wire.records import Verdict

CHECK = "inputs"

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
) -> Reconciled:
    """Check a topic of inputs against the verdicts.

    1. Each record has a verdict, or is too new. 2. The verdict names the SHA-256 of the record's bytes and its broker
    time, and holds when it is taken again. 3. Every verdict's record stands in the topic, unless retention took it.
    note: called with each record before its verdict is looked at.
    """
    settling = Settling()
    total = matched = 0
    found: set[tuple[int, int]] = set()
    for record in records:
        total += 1
        found.add((record.partition, record.offset))
        note(record)
        source = (topic, record.partition, record.offset)
        digest = sha256(record.value or b"").digest()
        leaf = judged.verdicts.get(source)
        verdict = leaf.record if leaf is not None else judged.waiting(source, digest)
        if verdict is None:
            settling.waiting(record)
            continue
        settling.settled(record)
        if verdict.record_sha256 != digest:
            problems.add(CHECK, record, "is not the record that its verdict judged: the SHA-256 differs")
        elif verdict.source_timestamp_ms != record.timestamp_ms:
            problems.add(
                CHECK, record, f"has broker time {record.timestamp_ms}, its verdict {verdict.source_timestamp_ms}"
            )
        elif why := rejudge(record, verdict, leaf.sequence if leaf is not None else None):
            problems.add(CHECK, record, why)
        else:
            matched += 1
    pending, overdue = settling.overdue(patience)
    for record in overdue:
        problems.add(CHECK, record, "has no verdict, though newer records have, or for too long")
    expired = 0
    for source in judged.verdicts:
        if source[0] != topic or source[1:] in found:
            continue
        if source[2] < begin_offsets.get(source[1], 0):
            expired += 1
        else:
            problems.add(CHECK, describe(source), "has a verdict, but is not in the topic")
    return Reconciled(total=total, matched=matched, pending=pending, expired=expired)
