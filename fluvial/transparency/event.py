"""What the leaves of the audit log are called: CloudEvents types and deterministic ids.

An event's id is a function of its cause alone: a stage that repeats itself after a failure repeats the id, the
sequencer drops the repeat, and an auditor knows which id the leaf of a record must bear. Parts of an id are escaped, so
that no two causes share one.
"""

from fluvial.identity.envelope import open_envelope
from fluvial.wire import framing
from fluvial.wire.errors import Malformed
from fluvial.wire.media_types import is_of_kind
from fluvial.wire.records import (
    AuditEvent,
    InferenceSummary,
    InputGap,
    Lease,
    OverRate,
    Participant,
    Promotion,
    PublishedModel,
    Receipt,
    Release,
    RoundEvent,
    SetAside,
    Variant,
    Verdict,
)

Recorded = (
    Verdict
    | RoundEvent
    | PublishedModel
    | Participant
    | Receipt
    | Release
    | Variant
    | Promotion
    | InferenceSummary
    | SetAside
    | InputGap
    | Lease
    | OverRate
)
"""The records that the audit log holds as the data of its events. Measurements are too large for it: the promotion that
rests on one names its digest."""

EVENT_TYPES: dict[type[Recorded], str] = {
    Verdict: "org.fluvial.verdict.v1",
    RoundEvent: "org.fluvial.round.v1",
    PublishedModel: "org.fluvial.model.v1",
    Participant: "org.fluvial.participant.v1",
    Receipt: "org.fluvial.receipt.v1",
    Release: "org.fluvial.release.v1",
    Variant: "org.fluvial.variant.v1",
    Promotion: "org.fluvial.promotion.v1",
    InferenceSummary: "org.fluvial.inference.v1",
    SetAside: "org.fluvial.set-aside.v1",
    InputGap: "org.fluvial.input-gap.v1",
    Lease: "org.fluvial.lease.v1",
    OverRate: "org.fluvial.over-rate.v1",
}
"""CloudEvents type of each."""

SIGNED_PARTICIPANT = "org.fluvial.participant.v2"
"""CloudEvents type of a participant's record as the registry has it: the data is the envelope that the registrar or the
operator signed, so that a leaf proves by itself whose key it enrols. Former releases wrote the record alone."""

REMEMBERED_EVENTS = 65_536
"""Of how many of the newest leaves the sequencer recognises the events when they come again. A stage that starts
without state may tell again what it told since its last checkpoint, which is far less."""

RECORD_TYPES: dict[str, type[Recorded]] = {name: record_type for record_type, name in EVENT_TYPES.items()}
"""The record that an event of a CloudEvents type holds."""


def event_id(record: Recorded) -> str:
    """CloudEvents id of the event that tells of a record."""
    match record:
        case Verdict():
            return _join("verdict", record.source_topic, record.source_partition, record.source_offset)
        case RoundEvent():
            return _join("round", record.task, record.round, record.attempt, record.transition.value)
        case PublishedModel():
            return _join("model", record.task, record.version)
        case Participant():
            # The same enrolment may be recorded twice: when it begins and when it is revoked.
            return _join("participant", record.participant, record.request_sha256.hex(), record.status.value)
        case Receipt():
            return _join("receipt", record.participant, record.task, record.round, record.attempt, record.update_id)
        case Release():
            return _join("release", record.task, record.version, *(["again"] if record.again else []))
        case Variant():
            return _join("variant", record.task, record.version, record.name)
        case Promotion():
            return _join("promotion", record.task, record.sequence)
        case InferenceSummary():
            return _join("inference", record.task, record.worker, record.minute_ms)
        case SetAside():
            return _join("set-aside", record.operator, record.item, record.item_sha256.hex())
        case InputGap():
            return _join("input-gap", record.topic, record.partition, record.first, record.end)
        case Lease():
            return _join("lease", record.epoch)
        case OverRate():
            return _join("over-rate", record.source_topic, record.source_partition, record.first)


def subject(record: Recorded) -> str:
    """CloudEvents subject: the participant where one is concerned, else the task; else the operator, topic or job."""
    match record:
        case Verdict() | Participant() | Receipt() | OverRate():
            return record.participant
        case SetAside():
            return record.operator
        case InputGap():
            return record.topic
        case Lease():
            return record.job
        case _:
            return record.task


def read_event(event: AuditEvent) -> Recorded:
    """The record that an event tells of. Raises DecodeError for bad data, ValueError for an unknown type of event."""
    if event.type == SIGNED_PARTICIPANT:
        return read_signed_participant(event.data)
    record_type = RECORD_TYPES.get(event.type)
    if record_type is None:
        raise ValueError(f"unknown type of event {event.type!r}")
    return framing.decode(event.data, record_type)


def read_signed_participant(data: bytes) -> Participant:
    """The participant in an envelope, of which neither signature nor federation is looked at. Raises DecodeError."""
    envelope = open_envelope(data)
    if not is_of_kind(envelope.payload_type, Participant):
        raise Malformed(f"an envelope of {envelope.payload_type}, not of a Participant")
    return framing.decode(envelope.payload, Participant)


def _join(*parts: str | int) -> str:
    joined = "/".join(map(str, parts))
    if "%" not in joined and joined.count("/") == len(parts) - 1:
        return joined
    return "/".join(str(part).replace("%", "%25").replace("/", "%2F") for part in parts)
