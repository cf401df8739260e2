"""Checks the topic `audit`: sequence, hash chain, events, Merkle tree; and keeps what the other checks need of the
leaves.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.report import Problems
from fluvial.transparency.event import RECORD_TYPES, Recorded, event_id, subject
from fluvial.transparency.merkle import leaf_hash
from fluvial.transparency.tree import MerkleTree
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError
from fluvial.wire.records import AuditEvent, Participant, PublishedModel, SequencedEvent, Verdict

CHECK = "log"
_FIRST_PREVIOUS_SHA256 = bytes(32)

Source = tuple[str, int, int]
"""Topic, partition and offset of a record that was judged."""


@dataclass(frozen=True, slots=True)
class VerdictLeaf:
    """A verdict as the log has it: position of its leaf, SHA-256 of the verdict's bytes (32 bytes), the verdict."""

    sequence: int
    data_sha256: bytes
    verdict: Verdict


@dataclass(slots=True)
class Log:
    """The leaves read: their tree, and those of verdicts, models (by task and version) and participants (by name)."""

    tree: MerkleTree = field(default_factory=MerkleTree)
    verdicts: dict[Source, VerdictLeaf] = field(default_factory=dict)
    models: dict[tuple[str, int], PublishedModel] = field(default_factory=dict)
    public_keys: dict[str, set[bytes]] = field(default_factory=dict)


def read_log(records: Iterator[TopicRecord], problems: Problems) -> Log:
    """Read all leaves.

    1. Each record is one canonical SequencedEvent. 2. Sequence numbers run from 0 without gaps. 3. Each leaf names the
    SHA-256 of the leaf before it. 4. No event id occurs twice, and each is the one that its data must have. A record
    that fails is reported and remains a leaf.
    """
    log = Log()
    previous = _FIRST_PREVIOUS_SHA256
    seen: set[str] = set()
    for record in records:
        leaf = record.value or b""
        sequence = log.tree.size
        log.tree.append(leaf_hash(leaf))
        try:
            sequenced = framing.decode(leaf, SequencedEvent)
        except DecodeError as error:
            problems.add(CHECK, record, f"leaf {sequence} is no SequencedEvent: {error}")
        else:
            if sequenced.sequence != sequence:
                problems.add(CHECK, record, f"leaf {sequence} bears the sequence number {sequenced.sequence}")
            if sequenced.previous_sha256 != previous:
                problems.add(CHECK, record, f"leaf {sequence} does not name the leaf before it: the chain is broken")
            if sequenced.event.id in seen:
                problems.add(CHECK, record, f"leaf {sequence} repeats the event {sequenced.event.id}")
            seen.add(sequenced.event.id)
            _take_in(log, sequence, sequenced.event, record, problems)
        previous = sha256(leaf).digest()
    return log


def read_event(event: AuditEvent) -> Recorded:
    """The record that an event tells of. Raises DecodeError for bad data, ValueError for an unknown type of event."""
    record_type = RECORD_TYPES.get(event.type)
    if record_type is None:
        raise ValueError(f"unknown type of event {event.type!r}")
    return framing.decode(event.data, record_type)


def _take_in(log: Log, sequence: int, event: AuditEvent, where: TopicRecord, problems: Problems) -> None:
    try:
        recorded = read_event(event)
    except (DecodeError, ValueError) as error:
        problems.add(CHECK, where, f"event of leaf {sequence}: {error}")
        return
    if event.id != event_id(recorded) or event.subject != subject(recorded):
        problems.add(CHECK, where, f"event of leaf {sequence} is called {event.id}, its data {event_id(recorded)}")
        return
    match recorded:
        case Verdict():
            source = (recorded.source_topic, recorded.source_partition, recorded.source_offset)
            log.verdicts.setdefault(source, VerdictLeaf(sequence, sha256(event.data).digest(), recorded))
        case PublishedModel():
            log.models.setdefault((recorded.task, recorded.version), recorded)
        case Participant():
            log.public_keys.setdefault(recorded.participant, set()).add(recorded.public_key)
