"""Reconciles inputs, verdicts and leaves: each input has one verdict on its very bytes, each verdict one leaf that
holds its very bytes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from fluvial.auditor.log import Log, Source
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.report import Problems, Reconciled
from fluvial.auditor.settling import Settling
from fluvial.identity.envelope import open_envelope, verify_envelope
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError
from fluvial.wire.records import Decision, Verdict

VERDICTS = "verdicts"
INPUTS = "inputs"


@dataclass(slots=True)
class Judged:
    """The verdict of each source, from the topic or, where the topic no longer has it, from its leaf."""

    verdicts: dict[Source, Verdict] = field(default_factory=dict)
    reconciled: Reconciled = field(default_factory=Reconciled)


def read_verdicts(
    records: Iterator[TopicRecord],
    begin_offsets: Mapping[int, int],
    log: Log,
    judged_topics: frozenset[str],
    grace_ms: int,
    problems: Problems,
) -> Judged:
    """Check the topic `verdicts` against the log.

    1. Each record is one canonical Verdict on a record of the judged topics. 2. No source is judged twice. 3. The log
    has a leaf with the same bytes, or the verdict is too new. 4. Every leaf's verdict stands in the topic, unless
    retention took it.
    """
    judged = Judged()
    settling = Settling()
    total = matched = 0
    for record in records:
        total += 1
        data = record.value or b""
        try:
            verdict = framing.decode(data, Verdict)
        except DecodeError as error:
            problems.add(VERDICTS, record, f"no Verdict: {error}")
            continue
        source = (verdict.source_topic, verdict.source_partition, verdict.source_offset)
        if verdict.source_topic not in judged_topics:
            problems.add(VERDICTS, record, f"judges a record of {verdict.source_topic}, which has no verdicts")
        if source in judged.verdicts:
            problems.add(VERDICTS, record, f"second verdict on {describe(source)}")
            continue
        judged.verdicts[source] = verdict
        leaf = log.verdicts.get(source)
        if leaf is None:
            settling.waiting(record)
        elif leaf.data_sha256 != sha256(data).digest():
            problems.add(
                VERDICTS, record, f"differs from leaf {leaf.sequence}, the verdict on {describe(source)} in the log"
            )
        else:
            settling.settled(record)
            matched += 1
    pending, overdue = settling.overdue(grace_ms)
    for record in overdue:
        problems.add(VERDICTS, record, "has no leaf in the log, though newer verdicts have")
    expired = _take_from_leaves(judged, log, any(begin_offsets.values()), problems)
    judged.reconciled = Reconciled(total=total, matched=matched, pending=pending, expired=expired)
    return judged


def _take_from_leaves(judged: Judged, log: Log, retention_took_some: bool, problems: Problems) -> int:
    expired = 0
    for source, leaf in log.verdicts.items():
        if source in judged.verdicts:
            continue
        judged.verdicts[source] = leaf.verdict
        if retention_took_some:
            expired += 1
        else:
            problems.add(
                VERDICTS, "", f"leaf {leaf.sequence} holds a verdict on {describe(source)} that is not in the topic"
            )
    return expired


def read_inputs(
    topic: str,
    records: Iterator[TopicRecord],
    begin_offsets: Mapping[int, int],
    judged: Judged,
    public_keys: Mapping[str, set[bytes]],
    grace_ms: int,
    problems: Problems,
) -> Reconciled:
    """Check a topic of inputs against the verdicts.

    1. Each record has a verdict, or is too new. 2. The verdict names the SHA-256 of the record's bytes and its broker
    time. 3. What was accepted is signed by the participant that the verdict names, with a key it has enrolled
    (public_keys). 4. Every verdict's record stands in the topic, unless retention took it.
    """
    settling = Settling()
    total = matched = 0
    found: set[tuple[int, int]] = set()
    for record in records:
        total += 1
        found.add((record.partition, record.offset))
        verdict = judged.verdicts.get((topic, record.partition, record.offset))
        if verdict is None:
            settling.waiting(record)
            continue
        settling.settled(record)
        value = record.value or b""
        if verdict.record_sha256 != sha256(value).digest():
            problems.add(INPUTS, record, "is not the record that its verdict judged: the SHA-256 differs")
        elif verdict.source_timestamp_ms != record.timestamp_ms:
            problems.add(
                INPUTS, record, f"has broker time {record.timestamp_ms}, its verdict {verdict.source_timestamp_ms}"
            )
        elif verdict.decision is Decision.ACCEPT and not _is_signed(value, verdict, public_keys):
            problems.add(INPUTS, record, f"was accepted, but is not signed by a key of {verdict.participant}")
        else:
            matched += 1
    pending, overdue = settling.overdue(grace_ms)
    for record in overdue:
        problems.add(INPUTS, record, "has no verdict, though newer records have")
    expired = 0
    for source in judged.verdicts:
        if source[0] != topic or source[1:] in found:
            continue
        if source[2] < begin_offsets.get(source[1], 0):
            expired += 1
        else:
            problems.add(INPUTS, describe(source), "has a verdict, but is not in the topic")
    return Reconciled(total=total, matched=matched, pending=pending, expired=expired)


def describe(source: Source) -> str:
    """A source as people write it."""
    return f"{source[0]}/{source[1]}@{source[2]}"


def _is_signed(value: bytes, verdict: Verdict, public_keys: Mapping[str, set[bytes]]) -> bool:
    try:
        envelope = open_envelope(value)
    except DecodeError:
        return False
    return any(verify_envelope(envelope, key) for key in public_keys.get(verdict.participant, ()))
