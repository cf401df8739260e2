"""Records of the wire contract, each with the fields of its newest version.

Generated from schemas/*.avsc by `python -m schemas.generate`; do not edit.
"""

# ruff: noqa: E501 - documentation stands on one line

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from fluvial.wire.late_dataclass import dataclass


class HolderState(StrEnum):
    """TRANSACTION_LOST: it ended because the broker had aborted a transaction that it had prepared."""

    RUNNING = "RUNNING"
    TRANSACTION_LOST = "TRANSACTION_LOST"


class InferenceStatus(StrEnum):
    """What became of a request."""

    ANSWERED = "ANSWERED"
    NO_RELEASE = "NO_RELEASE"
    BAD_INPUT = "BAD_INPUT"
    UNKNOWN_TASK = "UNKNOWN_TASK"
    EXPIRED = "EXPIRED"
    OVER_QUOTA = "OVER_QUOTA"


class LeaseCause(StrEnum):
    """FREE: nobody held the stages any more. TAKEN_OVER: from holders that were alive. TRANSACTION_LOST: the job goes on from the log after the broker had aborted a transaction that it had prepared. FAILED: it goes on from the log after it had failed."""

    FREE = "FREE"
    TAKEN_OVER = "TAKEN_OVER"
    TRANSACTION_LOST = "TRANSACTION_LOST"
    FAILED = "FAILED"


class OperatorStep(StrEnum):
    """What is to be done."""

    PROMOTE = "PROMOTE"
    HOLD = "HOLD"
    ROLL_BACK = "ROLL_BACK"


class ParticipantStatus(StrEnum):
    """REVOKED: its updates are refused."""

    ACTIVE = "ACTIVE"
    REVOKED = "REVOKED"


class PromotionDecision(StrEnum):
    """What became of it. AWAITING: within every margin, operators must sign."""

    PROMOTED = "PROMOTED"
    HELD = "HELD"
    UNDECIDED = "UNDECIDED"
    ROLLED_BACK = "ROLLED_BACK"
    AWAITING = "AWAITING"


class Outcome(StrEnum):
    """EXCLUDED: the aggregation rule left it out. ROUND_FAILED: the round had no quorum; publish again for the next attempt."""

    INCLUDED = "INCLUDED"
    EXCLUDED = "EXCLUDED"
    LATE = "LATE"
    ROUND_FAILED = "ROUND_FAILED"


class RoundStatus(StrEnum):
    """FINISHED: the task has had all its rounds, or its operator has ended it; base_version is its last model. PAUSED: its operator has halted it; round and attempt are what is opened next. REMOVED: its operator has withdrawn it; no round follows."""

    OPEN = "OPEN"
    FINISHED = "FINISHED"
    PAUSED = "PAUSED"
    REMOVED = "REMOVED"


class WindowMode(StrEnum):
    """SYNCHRONOUS: updates of this round alone. BUFFERED: the target closes it, with updates of any base version within max_staleness. TUMBLING: broker time closes it, at deadline_ms."""

    SYNCHRONOUS = "SYNCHRONOUS"
    BUFFERED = "BUFFERED"
    TUMBLING = "TUMBLING"


class RoundTransition(StrEnum):
    """FAILED: no model came of it; `reason` says why. PAUSED, REMOVED, and FINISHED with a reason: the operator has said so."""

    OPENED = "OPENED"
    CLOSED = "CLOSED"
    FAILED = "FAILED"
    FINISHED = "FINISHED"
    PAUSED = "PAUSED"
    REMOVED = "REMOVED"


class TaskStatus(StrEnum):
    """PAUSED: no round is opened. FINISHED: none is any more, once the open one is over. REMOVED: the open one is given up at once."""

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    FINISHED = "FINISHED"
    REMOVED = "REMOVED"


class Decision(StrEnum):
    """DUPLICATE: the same bytes were judged before."""

    ACCEPT = "ACCEPT"
    REJECT = "REJECT"
    QUARANTINE = "QUARANTINE"
    DUPLICATE = "DUPLICATE"


class Reason(StrEnum):
    """Why; ACCEPTED for an accepted record. governance/admission documents each."""

    ACCEPTED = "ACCEPTED"
    SIZE_LIMIT = "SIZE_LIMIT"
    ENVELOPE = "ENVELOPE"
    KEY_UNKNOWN = "KEY_UNKNOWN"
    KEY_REVOKED = "KEY_REVOKED"
    SIGNATURE = "SIGNATURE"
    SCHEMA_UNKNOWN = "SCHEMA_UNKNOWN"
    DECODE = "DECODE"
    NON_CANONICAL = "NON_CANONICAL"
    PARTICIPANT_MISMATCH = "PARTICIPANT_MISMATCH"
    TASK_UNKNOWN = "TASK_UNKNOWN"
    ROUND_UNKNOWN = "ROUND_UNKNOWN"
    STALE_ROUND = "STALE_ROUND"
    WRONG_BASE = "WRONG_BASE"
    AGREEMENT = "AGREEMENT"
    DUPLICATE_IGNORED = "DUPLICATE_IGNORED"
    EQUIVOCATION = "EQUIVOCATION"
    MANIFEST_MISMATCH = "MANIFEST_MISMATCH"
    ENCODING = "ENCODING"
    WEIGHT = "WEIGHT"
    INCOMPLETE = "INCOMPLETE"
    CHUNK_MISMATCH = "CHUNK_MISMATCH"
    NON_FINITE = "NON_FINITE"
    MAGNITUDE_EXCEEDED = "MAGNITUDE_EXCEEDED"
    NORM_EXCEEDED = "NORM_EXCEEDED"
    TOKEN_INVALID = "TOKEN_INVALID"
    NOT_INVITED = "NOT_INVITED"
    OTHER = "OTHER"
    CHUNK_CLAIMED = "CHUNK_CLAIMED"
    TOO_MANY_FAILURES = "TOO_MANY_FAILURES"
    UNHANDLED = "UNHANDLED"
    NOT_ASKED = "NOT_ASKED"
    ARTEFACT_UNKNOWN = "ARTEFACT_UNKNOWN"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    LOW_SCORE = "LOW_SCORE"
    OTHER_FEDERATION = "OTHER_FEDERATION"
    OVER_RATE = "OVER_RATE"
    AGREEMENT_WITHDRAWN = "AGREEMENT_WITHDRAWN"
    REQUEST_OUTDATED = "REQUEST_OUTDATED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkReference:
    """One chunk of tensor bytes: where it lies in its blob topic and what its bytes must be."""

    partition: int
    """Partition of the blob topic."""
    offset: int
    """Offset of the record that holds the chunk."""
    length: int
    """Bytes of the chunk."""
    sha256: bytes
    """SHA-256 of the chunk, 32 bytes."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ("partition", "length")
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "partition": self.partition,
            "offset": self.offset,
            "length": self.length,
            "sha256": self.sha256,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> ChunkReference:
        return cls(
            partition=data["partition"],
            offset=data["offset"],
            length=data["length"],
            sha256=data["sha256"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedUpdate:
    """An accepted update on its way to aggregation: references, not tensors."""

    task: str
    """Task."""
    round: int
    """Round."""
    attempt: int
    """Attempt."""
    participant: str
    """Participant."""
    update_id: str
    """Update."""
    source_partition: int
    """Partition of the envelope in topic updates."""
    source_offset: int
    """Its offset."""
    source_timestamp_ms: int
    """Its broker time."""
    record_sha256: bytes
    """SHA-256 of the raw envelope, 32 bytes."""
    weight: int
    """Weight."""
    encoding: str
    """Tensor encoding."""
    scales: tuple[float, ...]
    """int8: one scale per tensor; partial_sum: what its integers are divided by."""
    inline: bytes | None = None
    """The encoded delta of a small update."""
    chunks: tuple[ChunkReference, ...]
    """Chunks of the encoded delta."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ("attempt", "source_partition")
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ("chunks",)

    def to_avro(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "round": self.round,
            "attempt": self.attempt,
            "participant": self.participant,
            "update_id": self.update_id,
            "source_partition": self.source_partition,
            "source_offset": self.source_offset,
            "source_timestamp_ms": self.source_timestamp_ms,
            "record_sha256": self.record_sha256,
            "weight": self.weight,
            "encoding": self.encoding,
            "scales": list(self.scales),
            "inline": self.inline,
            "chunks": [item.to_avro() for item in self.chunks],
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> AcceptedUpdate:
        return cls(
            task=data["task"],
            round=data["round"],
            attempt=data["attempt"],
            participant=data["participant"],
            update_id=data["update_id"],
            source_partition=data["source_partition"],
            source_offset=data["source_offset"],
            source_timestamp_ms=data["source_timestamp_ms"],
            record_sha256=data["record_sha256"],
            weight=data["weight"],
            encoding=data["encoding"],
            scales=tuple(data["scales"]),
            inline=data["inline"],
            chunks=tuple([ChunkReference.from_avro(item) for item in data["chunks"]]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Terms that participants sign. Signed by the operator; in the topic registry."""

    agreement: str
    """Name."""
    text: str
    """The terms."""
    valid_from_ms: int
    """In force from."""
    valid_until_ms: int
    """In force until."""
    version: int = 0
    """Which text of this entry: counted up by whoever signs it, so that an older one cannot come back; 0: not counted."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "agreement": self.agreement,
            "text": self.text,
            "valid_from_ms": self.valid_from_ms,
            "valid_until_ms": self.valid_until_ms,
            "version": self.version,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Agreement:
        return cls(
            agreement=data["agreement"],
            text=data["text"],
            valid_from_ms=data["valid_from_ms"],
            valid_until_ms=data["valid_until_ms"],
            version=data.get("version", 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Something that happened, for the audit log: a CloudEvent whose data is an Avro record. Its id is a function of its cause, so that a repeat can be recognised."""

    id: str
    """CloudEvents id, deterministic."""
    source: str
    """CloudEvents source: the stage."""
    type: str
    """CloudEvents type: org.fluvial.<record>.v1."""
    subject: str
    """CloudEvents subject: the participant, task or model concerned."""
    time_ms: int
    """Broker time of the cause."""
    data: bytes
    """Avro single-object encoding of the record: enums, numbers and digests, at most 32 KiB."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time_ms": self.time_ms,
            "data": self.data,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> AuditEvent:
        return cls(
            id=data["id"],
            source=data["source"],
            type=data["type"],
            subject=data["subject"],
            time_ms=data["time_ms"],
            data=data["data"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedAgreement:
    """An agreement that the participant signed by signing its enrolment."""

    agreement: str
    """Name."""
    sha256: bytes
    """SHA-256 of the agreement's signed payload, 32 bytes."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "agreement": self.agreement,
            "sha256": self.sha256,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> SignedAgreement:
        return cls(
            agreement=data["agreement"],
            sha256=data["sha256"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProfile:
    """What a device says of itself at enrolment."""

    platform: str
    """Operating system."""
    machine: str
    """Processor architecture."""
    memory_bytes: int
    """Main memory; 0 where unknown."""
    accelerator: str
    """GPU or NPU; empty for none."""
    network: str
    """ethernet, wifi, cellular, or empty where unknown."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "platform": self.platform,
            "machine": self.machine,
            "memory_bytes": self.memory_bytes,
            "accelerator": self.accelerator,
            "network": self.network,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> DeviceProfile:
        return cls(
            platform=data["platform"],
            machine=data["machine"],
            memory_bytes=data["memory_bytes"],
            accelerator=data["accelerator"],
            network=data["network"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentRequest:
    """A participant asks to take part, proves its key and signs agreements. Self-signed; payload of the topic enrolments."""

    participant: str
    """Participant."""
    public_key: bytes
    """Ed25519 public key, 32 bytes."""
    token: str
    """The public key of the one-time token, or of the participant that it follows, in hexadecimal, or a token that is shown; empty when an enrolled participant signs a further agreement."""
    agreements: tuple[SignedAgreement, ...]
    """Agreements it signs."""
    device: DeviceProfile
    """The device."""
    requested_ms: int
    """The device's clock: a claim."""
    proof: bytes | None = None
    """Signature by the key that the field token names, in hexadecimal: of the token, or the participant's former one. Null where token is a word that is shown."""
    withdrawn: tuple[str, ...] = ()
    """Agreements that the participant withdraws."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "participant": self.participant,
            "public_key": self.public_key,
            "token": self.token,
            "agreements": [item.to_avro() for item in self.agreements],
            "device": self.device.to_avro(),
            "requested_ms": self.requested_ms,
            "proof": self.proof,
            "withdrawn": list(self.withdrawn),
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> EnrolmentRequest:
        return cls(
            participant=data["participant"],
            public_key=data["public_key"],
            token=data["token"],
            agreements=tuple([SignedAgreement.from_avro(item) for item in data["agreements"]]),
            device=DeviceProfile.from_avro(data["device"]),
            requested_ms=data["requested_ms"],
            proof=data.get("proof"),
            withdrawn=tuple(data.get("withdrawn", [])),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentToken:
    """A one-time token that lets one participant enrol. Signed by the operator; in the topic registry."""

    token_sha256: bytes
    """SHA-256 of the token, 32 bytes; the token itself goes to the participant out of band."""
    participant: str
    """The participant it is for."""
    expires_ms: int
    """Broker time after which it is void."""
    version: int = 0
    """Which text of this entry: counted up by whoever signs it, so that an older one cannot come back; 0: not counted."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "token_sha256": self.token_sha256,
            "participant": self.participant,
            "expires_ms": self.expires_ms,
            "version": self.version,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> EnrolmentToken:
        return cls(
            token_sha256=data["token_sha256"],
            participant=data["participant"],
            expires_ms=data["expires_ms"],
            version=data.get("version", 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature over the envelope."""

    keyid: str
    """Participant or service that claims to have signed: a hint until the signature is verified."""
    signature: bytes
    """Ed25519 signature, 64 bytes."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "keyid": self.keyid,
            "signature": self.signature,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Signature:
        return cls(
            keyid=data["keyid"],
            signature=data["signature"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """DSSE envelope (secure-systems-lab/dsse v1.0.2) in Avro: the signatures cover the pre-authentication encoding of payload_type and the raw payload bytes, and are checked before the payload is decoded."""

    payload_type: str
    """Media type of the payload: application/vnd.fluvial.<record>.v1+avro."""
    payload: bytes
    """Avro single-object encoding of the record."""
    signatures: tuple[Signature, ...]
    """At least one."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "payload_type": self.payload_type,
            "payload": self.payload,
            "signatures": [item.to_avro() for item in self.signatures],
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Envelope:
        return cls(
            payload_type=data["payload_type"],
            payload=data["payload"],
            signatures=tuple([Signature.from_avro(item) for item in data["signatures"]]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An operator raised: what it had in hand, so that a job that starts again knows which record is set aside."""

    operator: str
    """The operator."""
    submission: str
    """The submission of its job; another one tries every record anew."""
    items: tuple[str, ...]
    """What it had in hand: partition@offset of a record of its topic, else the beginning of the SHA-256 of a message."""
    error: str
    """Type of the exception."""
    traceback: str
    """The end of its traceback."""
    time_ms: int
    """When, by the operator's clock."""
    set_aside: bool = False
    """Whether the item is passed over from now on."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "operator": self.operator,
            "submission": self.submission,
            "items": list(self.items),
            "error": self.error,
            "traceback": self.traceback,
            "time_ms": self.time_ms,
            "set_aside": self.set_aside,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Failure:
        return cls(
            operator=data["operator"],
            submission=data["submission"],
            items=tuple(data["items"]),
            error=data["error"],
            traceback=data["traceback"],
            time_ms=data["time_ms"],
            set_aside=data["set_aside"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fencing:
    """Of a lease that counts: after it was in the log, every transactional id that an earlier holder of one of its stages had used was fenced. Nobody need fence those again. Signed, in topic leases."""

    epoch: int
    """Number of the lease."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Fencing:
        return cls(
            epoch=data["epoch"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What the holder of a lease says of itself. Unsigned: a hint whether it is alive, on which nothing rests."""

    epoch: int
    """Number of its lease."""
    job: str
    """Name of the job."""
    state: HolderState
    """How it is."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "job": self.job,
            "state": self.state.value,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Heartbeat:
        return cls(
            epoch=data["epoch"],
            job=data["job"],
            state=HolderState(data["state"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceRequest:
    """Examples for which somebody wants a model's outputs. Signed by the caller, an enrolled participant; topic requests."""

    task: str
    """Task whose model is to answer."""
    request_id: str
    """Unique per caller; an answer names it."""
    caller: str
    """Participant; equals the keyid of the envelope's signature."""
    reply_partition: int
    """Partition of results that the caller reads."""
    shape: tuple[int, ...]
    """Shape of the inputs, the number of examples first."""
    inputs: bytes
    """Values of the datatype, little-endian, row-major."""
    deadline_ms: int = 0
    """Broker time by which an answer is of use, milliseconds since 1970; 0: as the task's terms say."""
    datatype: str = "FP32"
    """Of the inputs: FP32, FP16 or UINT8, as the Open Inference Protocol names them. The model is given float32."""
    divisor: float = 1.0
    """The model is given the inputs divided by this, in float32."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ("reply_partition",)
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "request_id": self.request_id,
            "caller": self.caller,
            "reply_partition": self.reply_partition,
            "shape": list(self.shape),
            "inputs": self.inputs,
            "deadline_ms": self.deadline_ms,
            "datatype": self.datatype,
            "divisor": self.divisor,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> InferenceRequest:
        return cls(
            task=data["task"],
            request_id=data["request_id"],
            caller=data["caller"],
            reply_partition=data["reply_partition"],
            shape=tuple(data["shape"]),
            inputs=data["inputs"],
            deadline_ms=data["deadline_ms"],
            datatype=data["datatype"],
            divisor=data["divisor"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceAnswer:
    """What became of one request."""

    caller: str
    """Who asked."""
    request_id: str
    """The request."""
    status: InferenceStatus
    """What became of it."""
    reason: str
    """Why there are no outputs; empty otherwise."""
    shape: tuple[int, ...]
    """Shape of the outputs, the number of examples first."""
    outputs: bytes
    """Float32, little-endian, row-major."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "caller": self.caller,
            "request_id": self.request_id,
            "status": self.status.value,
            "reason": self.reason,
            "shape": list(self.shape),
            "outputs": self.outputs,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> InferenceAnswer:
        return cls(
            caller=data["caller"],
            request_id=data["request_id"],
            status=InferenceStatus(data["status"]),
            reason=data["reason"],
            shape=tuple(data["shape"]),
            outputs=data["outputs"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceResults:
    """Answers of one batch, all by one released artefact. Signed once; topic results."""

    task: str
    """Task."""
    promotion: int
    """Number of the promotion that released the artefact; 0 when nothing is released."""
    version: int
    """Version of the model; -1 when nothing is released."""
    variant: str
    """Name of the variant."""
    artefact_sha256: bytes
    """SHA-256 of the artefact, 32 bytes; empty when nothing is released."""
    answers: tuple[InferenceAnswer, ...]
    """One for each request."""
    answered_ms: int
    """When, milliseconds since 1970; counted in the summary of this minute."""
    worker: str
    """Which subtask answered: its summary of the minute has this record among its leaves."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "promotion": self.promotion,
            "version": self.version,
            "variant": self.variant,
            "artefact_sha256": self.artefact_sha256,
            "answers": [item.to_avro() for item in self.answers],
            "answered_ms": self.answered_ms,
            "worker": self.worker,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> InferenceResults:
        return cls(
            task=data["task"],
            promotion=data["promotion"],
            version=data["version"],
            variant=data["variant"],
            artefact_sha256=data["artefact_sha256"],
            answers=tuple([InferenceAnswer.from_avro(item) for item in data["answers"]]),
            answered_ms=data["answered_ms"],
            worker=data["worker"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceSummary:
    """What was answered of one task in one minute: the audit log's word on a flood of requests."""

    task: str
    """Task."""
    worker: str
    """Which subtask answered."""
    minute_ms: int
    """Begin of the minute, milliseconds since 1970."""
    promotion: int
    """Number of the promotion that the last answers rest on."""
    version: int
    """Version of the model."""
    variant: str
    """Name of the variant."""
    requests: int
    """Requests."""
    examples: int
    """Examples that were answered."""
    refused: int
    """Requests without outputs."""
    p50_us: float
    """Median time from the broker's time of a request to its answer, microseconds."""
    p95_us: float
    """95th percentile."""
    p99_us: float
    """99th percentile."""
    root: bytes
    """Merkle root (RFC 6962) of the records of results that this worker dated in this minute, in the order of their leaf hashes, 32 bytes."""
    results: int
    """How many records they are."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "worker": self.worker,
            "minute_ms": self.minute_ms,
            "promotion": self.promotion,
            "version": self.version,
            "variant": self.variant,
            "requests": self.requests,
            "examples": self.examples,
            "refused": self.refused,
            "p50_us": self.p50_us,
            "p95_us": self.p95_us,
            "p99_us": self.p99_us,
            "root": self.root,
            "results": self.results,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> InferenceSummary:
        return cls(
            task=data["task"],
            worker=data["worker"],
            minute_ms=data["minute_ms"],
            promotion=data["promotion"],
            version=data["version"],
            variant=data["variant"],
            requests=data["requests"],
            examples=data["examples"],
            refused=data["refused"],
            p50_us=data["p50_us"],
            p95_us=data["p95_us"],
            p99_us=data["p99_us"],
            root=data["root"],
            results=data["results"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InputGap:
    """Offsets of an input topic that were gone before they were judged. What lay there, if anything did, has no verdict."""

    topic: str
    """The topic."""
    partition: int
    """The partition."""
    first: int
    """The first such offset."""
    end: int
    """The offset behind the last."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ("partition",)
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "topic": self.topic,
            "partition": self.partition,
            "first": self.first,
            "end": self.end,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> InputGap:
        return cls(
            topic=data["topic"],
            partition=data["partition"],
            first=data["first"],
            end=data["end"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Which job writes for which stages. A lease counts if it is signed and its epoch follows the last that counts; it ends those before it that name one of its stages."""

    epoch: int
    """Number of the lease in the federation, from 1."""
    stages: tuple[str, ...]
    """Stages that the job runs."""
    job: str
    """Name of the job."""
    host: str
    """Host on which it was started."""
    pid: int
    """Process on that host that runs as long as the job; 0 for none."""
    process_started_ms: int
    """When that process began; 0 for none."""
    cause: LeaseCause
    """Why it was taken."""
    taken_ms: int
    """When, by the host's clock; the broker's time counts."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "stages": list(self.stages),
            "job": self.job,
            "host": self.host,
            "pid": self.pid,
            "process_started_ms": self.process_started_ms,
            "cause": self.cause.value,
            "taken_ms": self.taken_ms,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Lease:
        return cls(
            epoch=data["epoch"],
            stages=tuple(data["stages"]),
            job=data["job"],
            host=data["host"],
            pid=data["pid"],
            process_started_ms=data["process_started_ms"],
            cause=LeaseCause(data["cause"]),
            taken_ms=data["taken_ms"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCounts:
    """Paired answers of one metric in one group of at least ten people."""

    metric: str
    """accuracy, recall:CLASS, agreement."""
    group: str
    """all, or ATTRIBUTE:NAME."""
    both: int
    """Examples that both have right."""
    harmed: int
    """That only the float32 model has right."""
    helped: int
    """That only the variant has right."""
    neither: int
    """That neither has right."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "group": self.group,
            "both": self.both,
            "harmed": self.harmed,
            "helped": self.helped,
            "neither": self.neither,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> GroupCounts:
        return cls(
            metric=data["metric"],
            group=data["group"],
            both=data["both"],
            harmed=data["harmed"],
            helped=data["helped"],
            neither=data["neither"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDrop:
    """A metric that is no share of right answers, from the paired bootstrap."""

    metric: str
    """auc, f1, mae, ..."""
    group: str
    """all, or ATTRIBUTE:NAME."""
    num_examples: int
    """Examples of the group."""
    value: float
    """The variant's value."""
    drop: float
    """How much worse than the float32 model, in the metric's unit."""
    bound: float
    """Upper 95 % bound of the drop."""
    p_value: float
    """Of the hypothesis that nothing was lost."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "group": self.group,
            "num_examples": self.num_examples,
            "value": self.value,
            "drop": self.drop,
            "bound": self.bound,
            "p_value": self.p_value,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> MetricDrop:
        return cls(
            metric=data["metric"],
            group=data["group"],
            num_examples=data["num_examples"],
            value=data["value"],
            drop=data["drop"],
            bound=data["bound"],
            p_value=data["p_value"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What a participant or a worker measured of a variant beside the float32 model, on its own data and processor. Signed by whoever measured; workers' on topic measurements, participants' on topic reports and, once admitted, on topic admitted-reports."""

    task: str
    """Task."""
    version: int
    """Version of the model."""
    variant: str
    """Name of the variant."""
    artefact_sha256: bytes
    """SHA-256 of the artefact, 32 bytes."""
    measurer: str
    """Participant, or the worker's name; equals the keyid of the envelope's signature."""
    data: str
    """gate: the task's gate set. own: data of the participant's own."""
    data_sha256: bytes
    """SHA-256 of the gate set's file, 32 bytes; empty for own data."""
    runtime: str
    """Runtime and its version."""
    processor: str
    """Class of the processor."""
    threads: int
    """Threads of a call."""
    num_examples: int
    """Examples that both models answered."""
    counts: tuple[GroupCounts, ...]
    """Counts by metric and group."""
    drops: tuple[MetricDrop, ...]
    """Drops by metric and group."""
    latency_p50_us: float
    """Median time of a call with one example, microseconds."""
    latency_p95_us: float
    """95th percentile."""
    latency_p99_us: float
    """99th percentile; 0 for fewer than 10,000 calls."""
    calls: int
    """Calls timed."""
    throughput: float
    """Examples a second, `batch` at a time."""
    batch: int
    """Examples at once."""
    processor_us: float
    """Processor time for an example at that batch, microseconds."""
    peak_memory_bytes: int
    """Largest resident set of the measuring process."""
    joules: float
    """Energy for an example; 0 where the machine does not tell."""
    measured_ms: int
    """When, milliseconds since 1970: a claim."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ("threads", "batch")
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "version": self.version,
            "variant": self.variant,
            "artefact_sha256": self.artefact_sha256,
            "measurer": self.measurer,
            "data": self.data,
            "data_sha256": self.data_sha256,
            "runtime": self.runtime,
            "processor": self.processor,
            "threads": self.threads,
            "num_examples": self.num_examples,
            "counts": [item.to_avro() for item in self.counts],
            "drops": [item.to_avro() for item in self.drops],
            "latency_p50_us": self.latency_p50_us,
            "latency_p95_us": self.latency_p95_us,
            "latency_p99_us": self.latency_p99_us,
            "calls": self.calls,
            "throughput": self.throughput,
            "batch": self.batch,
            "processor_us": self.processor_us,
            "peak_memory_bytes": self.peak_memory_bytes,
            "joules": self.joules,
            "measured_ms": self.measured_ms,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Measurement:
        return cls(
            task=data["task"],
            version=data["version"],
            variant=data["variant"],
            artefact_sha256=data["artefact_sha256"],
            measurer=data["measurer"],
            data=data["data"],
            data_sha256=data["data_sha256"],
            runtime=data["runtime"],
            processor=data["processor"],
            threads=data["threads"],
            num_examples=data["num_examples"],
            counts=tuple([GroupCounts.from_avro(item) for item in data["counts"]]),
            drops=tuple([MetricDrop.from_avro(item) for item in data["drops"]]),
            latency_p50_us=data["latency_p50_us"],
            latency_p95_us=data["latency_p95_us"],
            latency_p99_us=data["latency_p99_us"],
            calls=data["calls"],
            throughput=data["throughput"],
            batch=data["batch"],
            processor_us=data["processor_us"],
            peak_memory_bytes=data["peak_memory_bytes"],
            joules=data["joules"],
            measured_ms=data["measured_ms"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorLayout:
    """One tensor of a model; models and updates are these tensors, flattened in row-major order and concatenated."""

    name: str
    """Name within the model."""
    shape: tuple[int, ...]
    """Sizes of its dimensions; empty for a scalar."""
    dtype: str = "float32"
    """What the module holds it as: float32, float16 and bfloat16, which are float32 here, or float64, three float32 tensors one after the other, whose sum it is."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "shape": list(self.shape),
            "dtype": self.dtype,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> TensorLayout:
        return cls(
            name=data["name"],
            shape=tuple(data["shape"]),
            dtype=data.get("dtype", "float32"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """One update that the round had."""

    participant: str
    """Participant."""
    update_id: str
    """Update."""
    source_partition: int
    """Partition of its envelope in topic updates."""
    source_offset: int
    """Offset of its envelope."""
    record_sha256: bytes
    """SHA-256 of its raw envelope, 32 bytes."""
    weight: int
    """Its weight."""
    selected: bool
    """Whether the rule took it in."""
    effective_weight: int
    """What the rule made of it: its coefficients in the sums, added up; 0 for an update that the rule left out."""
    round: int
    """Round that it was trained for: earlier than the manifest's in asynchronous windows."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ("source_partition",)
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "participant": self.participant,
            "update_id": self.update_id,
            "source_partition": self.source_partition,
            "source_offset": self.source_offset,
            "record_sha256": self.record_sha256,
            "weight": self.weight,
            "selected": self.selected,
            "effective_weight": self.effective_weight,
            "round": self.round,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Contribution:
        return cls(
            participant=data["participant"],
            update_id=data["update_id"],
            source_partition=data["source_partition"],
            source_offset=data["source_offset"],
            record_sha256=data["record_sha256"],
            weight=data["weight"],
            selected=data["selected"],
            effective_weight=data["effective_weight"],
            round=data["round"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelManifest:
    """A published model: where its chunks lie, what they must be, and everything needed to compute it again. Signed by the aggregator (version 0: by the operator); payload of the topic models."""

    task: str
    """Task."""
    version: int
    """Version; 0 is the initial model."""
    parent_version: int
    """Version it was computed from; -1 for none."""
    parent_digest: bytes
    """Digest of the parent, 32 bytes; empty for none."""
    round: int
    """Round that made it; 0 for the initial model."""
    attempt: int
    """Attempt of that round."""
    rule: str
    """Aggregation rule, as JSON."""
    server_optimizer: str
    """Server optimizer, as JSON; empty for none."""
    staleness: str
    """How updates of earlier rounds were weighted, as JSON; empty: as those of the round."""
    fraction_bits: int
    """Fraction bits of the fixed-point sum."""
    total_weight: int
    """What the exact sums are divided by; of a weighted mean the weights of the contributions that were selected."""
    layout: tuple[TensorLayout, ...]
    """Layout of the model."""
    num_elements: int
    """Elements of the flattened model."""
    chunk_elements: int
    """Elements per chunk."""
    chunks: tuple[ChunkReference, ...]
    """Chunks of little-endian elements in topic model-blobs, in chunk order: float32, or int64 of a partial sum."""
    optimizer_chunks: tuple[ChunkReference, ...]
    """The optimizer's moments after this version, float32: for each moment the chunks in chunk order; empty for none."""
    model_digest: bytes
    """SHA-256 over the concatenated SHA-256 of the chunks, 32 bytes."""
    contributions: tuple[Contribution, ...]
    """The round's updates, ordered by record_sha256."""
    partial: bool
    """Whether the chunks are the exact sum of the round, for a parent federation, and no model."""
    created_ms: int
    """When it was published."""
    terms: str = ""
    """What the task file says beyond the fields of version 1: its sections as one canonical JSON document (RFC 8785); empty for nothing."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ("attempt", "fraction_bits", "chunk_elements")
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ("chunks", "optimizer_chunks", "contributions")

    def to_avro(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "version": self.version,
            "parent_version": self.parent_version,
            "parent_digest": self.parent_digest,
            "round": self.round,
            "attempt": self.attempt,
            "rule": self.rule,
            "server_optimizer": self.server_optimizer,
            "staleness": self.staleness,
            "fraction_bits": self.fraction_bits,
            "total_weight": self.total_weight,
            "layout": [item.to_avro() for item in self.layout],
            "num_elements": self.num_elements,
            "chunk_elements": self.chunk_elements,
            "chunks": [item.to_avro() for item in self.chunks],
            "optimizer_chunks": [item.to_avro() for item in self.optimizer_chunks],
            "model_digest": self.model_digest,
            "contributions": [item.to_avro() for item in self.contributions],
            "partial": self.partial,
            "created_ms": self.created_ms,
            "terms": self.terms,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> ModelManifest:
        return cls(
            task=data["task"],
            version=data["version"],
            parent_version=data["parent_version"],
            parent_digest=data["parent_digest"],
            round=data["round"],
            attempt=data["attempt"],
            rule=data["rule"],
            server_optimizer=data["server_optimizer"],
            staleness=data["staleness"],
            fraction_bits=data["fraction_bits"],
            total_weight=data["total_weight"],
            layout=tuple([TensorLayout.from_avro(item) for item in data["layout"]]),
            num_elements=data["num_elements"],
            chunk_elements=data["chunk_elements"],
            chunks=tuple([ChunkReference.from_avro(item) for item in data["chunks"]]),
            optimizer_chunks=tuple([ChunkReference.from_avro(item) for item in data["optimizer_chunks"]]),
            model_digest=data["model_digest"],
            contributions=tuple([Contribution.from_avro(item) for item in data["contributions"]]),
            partial=data["partial"],
            created_ms=data["created_ms"],
            terms=data.get("terms", ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingReport:
    """How an update was trained: claims of the participant, for the federation's account of speed and cost."""

    device_class: str
    """Class of the processor or accelerator that trained."""
    precision: str
    """float32, bfloat16, float16, ..."""
    epochs: int
    """Passes over the examples."""
    seconds: float
    """Wall time of training."""
    processor_seconds: float
    """Processor time of training, all threads together."""
    joules: float
    """Energy; 0 where the machine does not tell."""
    bytes_sent: int
    """Bytes of the encoded delta."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ("epochs",)
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "device_class": self.device_class,
            "precision": self.precision,
            "epochs": self.epochs,
            "seconds": self.seconds,
            "processor_seconds": self.processor_seconds,
            "joules": self.joules,
            "bytes_sent": self.bytes_sent,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> TrainingReport:
        return cls(
            device_class=data["device_class"],
            precision=data["precision"],
            epochs=data["epochs"],
            seconds=data["seconds"],
            processor_seconds=data["processor_seconds"],
            joules=data["joules"],
            bytes_sent=data["bytes_sent"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One measurement."""

    name: str
    """accuracy, loss, auc, ..."""
    value: float
    """Its value."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": self.value,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Metric:
        return cls(
            name=data["name"],
            value=data["value"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutMetrics:
    """Metrics of a model on examples of a participant's own that it does not train on: claims, which medians over participants bound."""

    attribute: str
    """What the group is of: site, sex, age, ...; empty for all examples."""
    group: str
    """The group; empty for all examples."""
    num_examples: int
    """Its examples, of at least ten people."""
    metrics: tuple[Metric, ...]
    """Measurements on them; those that are not defined on them are left out."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "attribute": self.attribute,
            "group": self.group,
            "num_examples": self.num_examples,
            "metrics": [item.to_avro() for item in self.metrics],
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> HeldOutMetrics:
        return cls(
            attribute=data["attribute"],
            group=data["group"],
            num_examples=data["num_examples"],
            metrics=tuple([Metric.from_avro(item) for item in data["metrics"]]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUpdate:
    """What a participant contributes to a round: the difference between its trained model and the round's base model. Payload of the topic updates."""

    task: str
    """Task."""
    round: int
    """Round, from 1."""
    attempt: int
    """Attempt of the round, from 1."""
    participant: str
    """Participant; equals the keyid of the envelope's signature."""
    update_id: str
    """Unique per participant; names the update in verdicts and receipts."""
    base_version: int
    """Version of the model that the participant trained from."""
    base_digest: bytes
    """Digest of that model, 32 bytes."""
    weight: int
    """Weight in the aggregate: the number of training examples; of a partial sum the total of the region."""
    encoding: str
    """Tensor encoding of the bytes: float32, int8, or partial_sum of a region."""
    layout_digest: bytes
    """Digest of the ordered tensor names and shapes, 32 bytes; equals the round's."""
    scales: tuple[float, ...]
    """int8: one scale per tensor in layout order; partial_sum: one, weight * 2**fraction_bits, which its integers are divided by; otherwise empty."""
    inline: bytes | None = None
    """The encoded delta of a small update; null when chunks are listed."""
    chunks: tuple[ChunkReference, ...]
    """Chunks of the encoded delta in topic update-blobs, in chunk order; empty when inline."""
    created_ms: int
    """The device's clock, milliseconds since the epoch: a claim."""
    trained: tuple[TrainingReport, ...] = ()
    """How it was trained: one report, none where the participant does not say."""
    measured: tuple[HeldOutMetrics, ...] = ()
    """What it measured of the base model before training, where the task asks for it and it tells: all examples first, then groups."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ("attempt",)
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ("chunks", "trained")

    def to_avro(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "round": self.round,
            "attempt": self.attempt,
            "participant": self.participant,
            "update_id": self.update_id,
            "base_version": self.base_version,
            "base_digest": self.base_digest,
            "weight": self.weight,
            "encoding": self.encoding,
            "layout_digest": self.layout_digest,
            "scales": list(self.scales),
            "inline": self.inline,
            "chunks": [item.to_avro() for item in self.chunks],
            "created_ms": self.created_ms,
            "trained": [item.to_avro() for item in self.trained],
            "measured": [item.to_avro() for item in self.measured],
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> ModelUpdate:
        return cls(
            task=data["task"],
            round=data["round"],
            attempt=data["attempt"],
            participant=data["participant"],
            update_id=data["update_id"],
            base_version=data["base_version"],
            base_digest=data["base_digest"],
            weight=data["weight"],
            encoding=data["encoding"],
            layout_digest=data["layout_digest"],
            scales=tuple(data["scales"]),
            inline=data["inline"],
            chunks=tuple([ChunkReference.from_avro(item) for item in data["chunks"]]),
            created_ms=data["created_ms"],
            trained=tuple([TrainingReport.from_avro(item) for item in data.get("trained", [])]),
            measured=tuple([HeldOutMetrics.from_avro(item) for item in data.get("measured", [])]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorAct:
    """What an operator wants done about a decision on a variant. Signed by the operator, named by the keyid; topic operator-acts."""

    task: str
    """Task."""
    promotion: int
    """Number of the decision that it is about."""
    artefact_sha256: bytes
    """SHA-256 of the artefact that was decided upon, 32 bytes."""
    step: OperatorStep
    """What is to be done."""
    operator: str
    """Who wants it; equals the keyid of the envelope's signature."""
    reason: str
    """Why, in words."""
    created_ms: int
    """When it was signed, milliseconds since 1970: a claim."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "promotion": self.promotion,
            "artefact_sha256": self.artefact_sha256,
            "step": self.step.value,
            "operator": self.operator,
            "reason": self.reason,
            "created_ms": self.created_ms,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> OperatorAct:
        return cls(
            task=data["task"],
            promotion=data["promotion"],
            artefact_sha256=data["artefact_sha256"],
            step=OperatorStep(data["step"]),
            operator=data["operator"],
            reason=data["reason"],
            created_ms=data["created_ms"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Offsets without a gap."""

    skipped: int
    """Offsets between the run before and this one, which are not meant; 0 for the first run."""
    length: int
    """How many offsets the run has, 1 or more."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ("length",)
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "skipped": self.skipped,
            "length": self.length,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Run:
        return cls(
            skipped=data["skipped"],
            length=data["length"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OverRate:
    """Records of one sender in one partition that were refused unopened, because it sent more than it is given: for each of them the one verdict, REJECT for OVER_RATE."""

    source_topic: str
    """Topic of the records."""
    source_partition: int
    """Their partition."""
    first: int
    """Offset of the first of them."""
    source_timestamp_ms: int
    """Broker time of the first."""
    participant: str
    """Enrolled participant that their Kafka keys name, as a claim; empty for all whose keys name nobody enrolled, who share what they are given."""
    runs: tuple[Run, ...]
    """Which offsets are meant, from the first on; 4096 or fewer in all."""
    records_sha256: bytes
    """SHA-256, 32 bytes, of the SHA-256 digests of the records' raw values, joined in the order of their offsets."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ("source_partition",)
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ("runs",)

    def to_avro(self) -> dict[str, Any]:
        return {
            "source_topic": self.source_topic,
            "source_partition": self.source_partition,
            "first": self.first,
            "source_timestamp_ms": self.source_timestamp_ms,
            "participant": self.participant,
            "runs": [item.to_avro() for item in self.runs],
            "records_sha256": self.records_sha256,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> OverRate:
        return cls(
            source_topic=data["source_topic"],
            source_partition=data["source_partition"],
            first=data["first"],
            source_timestamp_ms=data["source_timestamp_ms"],
            participant=data["participant"],
            runs=tuple([Run.from_avro(item) for item in data["runs"]]),
            records_sha256=data["records_sha256"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawnAgreement:
    """An agreement that the participant has signed and signs no more."""

    agreement: str
    """Name."""
    sha256: bytes
    """SHA-256 of the signed payload of the text that was signed, 32 bytes."""
    withdrawn_ms: int
    """Broker time of the withdrawal: rounds that were opened before it still take what the participant sends."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "agreement": self.agreement,
            "sha256": self.sha256,
            "withdrawn_ms": self.withdrawn_ms,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> WithdrawnAgreement:
        return cls(
            agreement=data["agreement"],
            sha256=data["sha256"],
            withdrawn_ms=data["withdrawn_ms"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """An enrolled participant. Signed by the registrar, or by the operator who revokes; in the topic registry."""

    participant: str
    """Participant."""
    public_key: bytes
    """Ed25519 public key, 32 bytes."""
    status: ParticipantStatus
    """Whether its updates are judged or refused."""
    agreements: tuple[SignedAgreement, ...]
    """Agreements it has signed."""
    device: DeviceProfile
    """The device."""
    enrolled_ms: int
    """Broker time of its enrolment."""
    request_sha256: bytes
    """SHA-256 of the raw enrolment record, 32 bytes."""
    version: int = 0
    """Which text of this entry: counted up by whoever signs it, so that an older one cannot come back; 0: not counted."""
    withdrawn: tuple[WithdrawnAgreement, ...] = ()
    """Agreements that it has withdrawn, each since when; not those that it has signed again."""
    requested_ms: int = 0
    """requested_ms of the request that this record was made from: an earlier one of the participant is refused. 0: not told."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "participant": self.participant,
            "public_key": self.public_key,
            "status": self.status.value,
            "agreements": [item.to_avro() for item in self.agreements],
            "device": self.device.to_avro(),
            "enrolled_ms": self.enrolled_ms,
            "request_sha256": self.request_sha256,
            "version": self.version,
            "withdrawn": [item.to_avro() for item in self.withdrawn],
            "requested_ms": self.requested_ms,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Participant:
        return cls(
            participant=data["participant"],
            public_key=data["public_key"],
            status=ParticipantStatus(data["status"]),
            agreements=tuple([SignedAgreement.from_avro(item) for item in data["agreements"]]),
            device=DeviceProfile.from_avro(data["device"]),
            enrolled_ms=data["enrolled_ms"],
            request_sha256=data["request_sha256"],
            version=data.get("version", 0),
            withdrawn=tuple([WithdrawnAgreement.from_avro(item) for item in data.get("withdrawn", [])]),
            requested_ms=data.get("requested_ms", 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFinding:
    """One metric in one group."""

    metric: str
    """Metric."""
    group: str
    """Group."""
    num_examples: int
    """Examples."""
    harmed: int
    """Answers that became wrong; -1 for a metric that is no share of right answers."""
    helped: int
    """Answers that became right."""
    value: float
    """The variant's value."""
    drop: float
    """How much worse than the float32 model."""
    bound: float
    """Upper 95 % bound of the drop."""
    margin: float
    """What the policy allows."""
    p_value: float
    """Of harm, adjusted for the number of comparisons."""
    verdict: str
    """WITHIN, HARMED or UNDECIDED."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "group": self.group,
            "num_examples": self.num_examples,
            "harmed": self.harmed,
            "helped": self.helped,
            "value": self.value,
            "drop": self.drop,
            "bound": self.bound,
            "margin": self.margin,
            "p_value": self.p_value,
            "verdict": self.verdict,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> GroupFinding:
        return cls(
            metric=data["metric"],
            group=data["group"],
            num_examples=data["num_examples"],
            harmed=data["harmed"],
            helped=data["helped"],
            value=data["value"],
            drop=data["drop"],
            bound=data["bound"],
            margin=data["margin"],
            p_value=data["p_value"],
            verdict=data["verdict"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """What became of a variant on one class of processors: promoted, held, undecided, rolled back; with the numbers behind it. Signed; topic promotions."""

    task: str
    """Task."""
    sequence: int
    """Decisions of a task are numbered from 1, without gaps."""
    version: int
    """Version of the model."""
    model_digest: bytes
    """Digest of the model, 32 bytes."""
    variant: str
    """Name of the variant."""
    artefact_sha256: bytes
    """SHA-256 of the artefact, 32 bytes."""
    runtime: str
    """Runtime and its version."""
    processor: str
    """Class of processors that it holds for."""
    decision: PromotionDecision
    """What became of it."""
    reason: str
    """Why, in words."""
    policy_sha256: bytes
    """SHA-256 of the policy's canonical JSON, 32 bytes."""
    measurements: tuple[bytes, ...]
    """SHA-256 of each measurement behind it, of the whole record; 32 bytes each."""
    findings: tuple[GroupFinding, ...]
    """All comparisons, worst first."""
    gate_uses: int
    """How often the gate set has been used by now, this time included."""
    signers: tuple[str, ...]
    """Operators who signed what was done, by name; empty where the gate alone decided."""
    acts: tuple[bytes, ...]
    """SHA-256 of each operator's act behind it, of the whole record; 32 bytes each."""
    created_ms: int
    """When it was decided, milliseconds since 1970."""
    gate: int = 0
    """Which rules of the gate decided (governance.promotion.judgement.RULES); 0 for those that had no number."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "sequence": self.sequence,
            "version": self.version,
            "model_digest": self.model_digest,
            "variant": self.variant,
            "artefact_sha256": self.artefact_sha256,
            "runtime": self.runtime,
            "processor": self.processor,
            "decision": self.decision.value,
            "reason": self.reason,
            "policy_sha256": self.policy_sha256,
            "measurements": list(self.measurements),
            "findings": [item.to_avro() for item in self.findings],
            "gate_uses": self.gate_uses,
            "signers": list(self.signers),
            "acts": list(self.acts),
            "created_ms": self.created_ms,
            "gate": self.gate,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Promotion:
        return cls(
            task=data["task"],
            sequence=data["sequence"],
            version=data["version"],
            model_digest=data["model_digest"],
            variant=data["variant"],
            artefact_sha256=data["artefact_sha256"],
            runtime=data["runtime"],
            processor=data["processor"],
            decision=PromotionDecision(data["decision"]),
            reason=data["reason"],
            policy_sha256=data["policy_sha256"],
            measurements=tuple(data["measurements"]),
            findings=tuple([GroupFinding.from_avro(item) for item in data["findings"]]),
            gate_uses=data["gate_uses"],
            signers=tuple(data["signers"]),
            acts=tuple(data["acts"]),
            created_ms=data["created_ms"],
            gate=data.get("gate", 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedModel:
    """A model version in the audit log: the manifest by its digest."""

    task: str
    """Task."""
    version: int
    """Version."""
    round: int
    """Round."""
    attempt: int
    """Attempt."""
    model_digest: bytes
    """Digest of the model, 32 bytes."""
    manifest_sha256: bytes
    """SHA-256 of the manifest's signed envelope as it stands in topic models, 32 bytes."""
    num_selected: int
    """Contributions that the rule took in."""
    num_contributions: int
    """Contributions that the round had."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ("attempt", "num_selected", "num_contributions")
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "version": self.version,
            "round": self.round,
            "attempt": self.attempt,
            "model_digest": self.model_digest,
            "manifest_sha256": self.manifest_sha256,
            "num_selected": self.num_selected,
            "num_contributions": self.num_contributions,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> PublishedModel:
        return cls(
            task=data["task"],
            version=data["version"],
            round=data["round"],
            attempt=data["attempt"],
            model_digest=data["model_digest"],
            manifest_sha256=data["manifest_sha256"],
            num_selected=data["num_selected"],
            num_contributions=data["num_contributions"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of an accepted update."""

    task: str
    """Task."""
    round: int
    """Round."""
    attempt: int
    """Attempt."""
    participant: str
    """Participant."""
    update_id: str
    """Update."""
    outcome: Outcome
    """What became of it."""
    version: int
    """Model version it is part of, or was compared for; 0 for none."""
    weight: int
    """Its weight."""
    model_digest: bytes
    """Digest of that model, 32 bytes; empty for none."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ("attempt",)
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "round": self.round,
            "attempt": self.attempt,
            "participant": self.participant,
            "update_id": self.update_id,
            "outcome": self.outcome.value,
            "version": self.version,
            "weight": self.weight,
            "model_digest": self.model_digest,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Receipt:
        return cls(
            task=data["task"],
            round=data["round"],
            attempt=data["attempt"],
            participant=data["participant"],
            update_id=data["update_id"],
            outcome=Outcome(data["outcome"]),
            version=data["version"],
            weight=data["weight"],
            model_digest=data["model_digest"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMeasurement:
    """Measurements on the examples of one group."""

    attribute: str
    """What the groups are of: site, sex, age, ..."""
    group: str
    """The group."""
    num_examples: int
    """Its examples in the evaluation set."""
    metrics: tuple[Metric, ...]
    """Measurements on them; those that are not defined on them are left out."""
    reason: str
    """Why measurements are left out; empty where none is."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "attribute": self.attribute,
            "group": self.group,
            "num_examples": self.num_examples,
            "metrics": [item.to_avro() for item in self.metrics],
            "reason": self.reason,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> GroupMeasurement:
        return cls(
            attribute=data["attribute"],
            group=data["group"],
            num_examples=data["num_examples"],
            metrics=tuple([Metric.from_avro(item) for item in data["metrics"]]),
            reason=data["reason"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantsMetric:
    """What participants measured of one model on held-out examples of their own, one metric and group. Quantiles are over participants, each once; each is a value that one of them told."""

    version: int
    """The model that was measured: what the updates were trained from, so a version before the release's."""
    attribute: str
    """What the group is of; empty for all examples."""
    group: str
    """The group; empty for all examples."""
    metric: str
    """The metric."""
    participants: int
    """Participants that told it."""
    num_examples: int
    """Their examples, of each at most as many as its update weighs."""
    mean: float
    """Mean weighted by these examples."""
    p10: float
    """10th percentile."""
    p25: float
    """25th percentile."""
    p50: float
    """Median."""
    p75: float
    """75th percentile."""
    p90: float
    """90th percentile."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ("participants",)
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "attribute": self.attribute,
            "group": self.group,
            "metric": self.metric,
            "participants": self.participants,
            "num_examples": self.num_examples,
            "mean": self.mean,
            "p10": self.p10,
            "p25": self.p25,
            "p50": self.p50,
            "p75": self.p75,
            "p90": self.p90,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> ParticipantsMetric:
        return cls(
            version=data["version"],
            attribute=data["attribute"],
            group=data["group"],
            metric=data["metric"],
            participants=data["participants"],
            num_examples=data["num_examples"],
            mean=data["mean"],
            p10=data["p10"],
            p25=data["p25"],
            p50=data["p50"],
            p75=data["p75"],
            p90=data["p90"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What evaluation measured of a model version."""

    task: str
    """Task."""
    version: int
    """Version."""
    model_digest: bytes
    """Digest of the model, 32 bytes."""
    metrics: tuple[Metric, ...]
    """Measurements on the task's evaluation set."""
    num_examples: int
    """Examples of the evaluation set."""
    device: str
    """Device that computed it: cpu or cuda."""
    duration_ms: int
    """Time of the inference step."""
    reason: str = ""
    """Why the model was not measured; empty where it was. Then there are no metrics."""
    groups: tuple[GroupMeasurement, ...] = ()
    """Measurements by group, of the groups that the evaluation set tells apart."""
    participants: tuple[ParticipantsMetric, ...] = ()
    """What the participants whose updates made this version measured of the model that they started from. It can be computed again from their signed updates."""
    again: bool = False
    """Whether it takes the place of a release that told why this model was not measured: a later submission could measure it. There is one such at most, always with measurements."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ("participants",)

    def to_avro(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "version": self.version,
            "model_digest": self.model_digest,
            "metrics": [item.to_avro() for item in self.metrics],
            "num_examples": self.num_examples,
            "device": self.device,
            "duration_ms": self.duration_ms,
            "reason": self.reason,
            "groups": [item.to_avro() for item in self.groups],
            "participants": [item.to_avro() for item in self.participants],
            "again": self.again,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Release:
        return cls(
            task=data["task"],
            version=data["version"],
            model_digest=data["model_digest"],
            metrics=tuple([Metric.from_avro(item) for item in data["metrics"]]),
            num_examples=data["num_examples"],
            device=data["device"],
            duration_ms=data["duration_ms"],
            reason=data.get("reason", ""),
            groups=tuple([GroupMeasurement.from_avro(item) for item in data.get("groups", [])]),
            participants=tuple([ParticipantsMetric.from_avro(item) for item in data.get("participants", [])]),
            again=data.get("again", False),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A round of a task: what participants train from and what an update must satisfy. Signed by the aggregator; payload of the topic rounds."""

    task: str
    """Task."""
    round: int
    """Round, from 1."""
    attempt: int
    """Attempt, from 1; a failed round is opened again with the next attempt."""
    status: RoundStatus
    """Whether updates are asked for."""
    base_version: int
    """Version to train from."""
    base_digest: bytes
    """Digest of that model, 32 bytes."""
    base_chunks: tuple[ChunkReference, ...]
    """Its chunks in topic model-blobs, in chunk order."""
    layout: tuple[TensorLayout, ...]
    """Layout of the model."""
    layout_digest: bytes
    """Digest of the model's layout, 32 bytes."""
    num_elements: int
    """Elements of the flattened model."""
    chunk_elements: int
    """Elements per chunk; the last chunk may be shorter."""
    opened_ms: int
    """When it was opened."""
    deadline_ms: int
    """Broker time after which an update is late."""
    quorum: int
    """Least number of updates that makes a model."""
    target: int
    """Number of updates that closes the round at once."""
    max_abs: float
    """Largest absolute value of an element of an update."""
    max_norm: float
    """Largest L2 norm of an update; 0 for no limit."""
    max_weight: int
    """Largest weight of an update."""
    fraction_bits: int
    """Fraction bits of the fixed-point sum."""
    kept_versions: int
    """Versions of the model whose chunks are kept; version v uses slot v mod kept_versions."""
    rule: str
    """Aggregation rule, as JSON: name and parameters."""
    server_optimizer: str
    """Server optimizer that turns the aggregate into the next model, as JSON: name and parameters; empty: the aggregate is added as it is."""
    optimizer_chunks: tuple[ChunkReference, ...]
    """The optimizer's moments so far, float32 in topic model-blobs: for each moment the chunks in chunk order; empty before the first step."""
    window: WindowMode
    """Which updates are taken, and what closes the round."""
    grace_ms: int
    """How long after the deadline updates are still taken while the quorum is missing."""
    max_staleness: int
    """How many rounds back an update may have been trained for; 0 when synchronous."""
    staleness: str
    """How an update of an earlier round is weighted, as JSON: name and parameters; empty: as a current one."""
    seed: bytes
    """Public seed by which participants are invited, 32 bytes."""
    invited_fraction: float
    """Share of the participants that is invited; 1 for all."""
    partial: bool
    """Whether the round publishes its exact sum, for a parent federation, instead of a model."""
    encodings: tuple[str, ...]
    """Tensor encodings that are accepted."""
    agreement: str
    """Agreement that a participant must have signed; empty for none."""
    training: str
    """Training configuration for participants, as JSON."""
    terms: str = ""
    """What the task file says beyond the fields of version 1: its sections as one canonical JSON document (RFC 8785); empty for nothing."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = (
        "attempt",
        "chunk_elements",
        "quorum",
        "target",
        "fraction_bits",
        "kept_versions",
    )
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ("base_chunks", "optimizer_chunks")

    def to_avro(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "round": self.round,
            "attempt": self.attempt,
            "status": self.status.value,
            "base_version": self.base_version,
            "base_digest": self.base_digest,
            "base_chunks": [item.to_avro() for item in self.base_chunks],
            "layout": [item.to_avro() for item in self.layout],
            "layout_digest": self.layout_digest,
            "num_elements": self.num_elements,
            "chunk_elements": self.chunk_elements,
            "opened_ms": self.opened_ms,
            "deadline_ms": self.deadline_ms,
            "quorum": self.quorum,
            "target": self.target,
            "max_abs": self.max_abs,
            "max_norm": self.max_norm,
            "max_weight": self.max_weight,
            "fraction_bits": self.fraction_bits,
            "kept_versions": self.kept_versions,
            "rule": self.rule,
            "server_optimizer": self.server_optimizer,
            "optimizer_chunks": [item.to_avro() for item in self.optimizer_chunks],
            "window": self.window.value,
            "grace_ms": self.grace_ms,
            "max_staleness": self.max_staleness,
            "staleness": self.staleness,
            "seed": self.seed,
            "invited_fraction": self.invited_fraction,
            "partial": self.partial,
            "encodings": list(self.encodings),
            "agreement": self.agreement,
            "training": self.training,
            "terms": self.terms,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Round:
        return cls(
            task=data["task"],
            round=data["round"],
            attempt=data["attempt"],
            status=RoundStatus(data["status"]),
            base_version=data["base_version"],
            base_digest=data["base_digest"],
            base_chunks=tuple([ChunkReference.from_avro(item) for item in data["base_chunks"]]),
            layout=tuple([TensorLayout.from_avro(item) for item in data["layout"]]),
            layout_digest=data["layout_digest"],
            num_elements=data["num_elements"],
            chunk_elements=data["chunk_elements"],
            opened_ms=data["opened_ms"],
            deadline_ms=data["deadline_ms"],
            quorum=data["quorum"],
            target=data["target"],
            max_abs=data["max_abs"],
            max_norm=data["max_norm"],
            max_weight=data["max_weight"],
            fraction_bits=data["fraction_bits"],
            kept_versions=data["kept_versions"],
            rule=data["rule"],
            server_optimizer=data["server_optimizer"],
            optimizer_chunks=tuple([ChunkReference.from_avro(item) for item in data["optimizer_chunks"]]),
            window=WindowMode(data["window"]),
            grace_ms=data["grace_ms"],
            max_staleness=data["max_staleness"],
            staleness=data["staleness"],
            seed=data["seed"],
            invited_fraction=data["invited_fraction"],
            partial=data["partial"],
            encodings=tuple(data["encodings"]),
            agreement=data["agreement"],
            training=data["training"],
            terms=data.get("terms", ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundEvent:
    """A round in the audit log."""

    task: str
    """Task."""
    round: int
    """Round."""
    attempt: int
    """Attempt."""
    transition: RoundTransition
    """What happened to it."""
    num_updates: int
    """Updates admitted so far."""
    base_version: int
    """Version it trains from."""
    reason: str = ""
    """Why it failed; empty where it did not."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ("attempt", "num_updates")
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "round": self.round,
            "attempt": self.attempt,
            "transition": self.transition.value,
            "num_updates": self.num_updates,
            "base_version": self.base_version,
            "reason": self.reason,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> RoundEvent:
        return cls(
            task=data["task"],
            round=data["round"],
            attempt=data["attempt"],
            transition=RoundTransition(data["transition"]),
            num_updates=data["num_updates"],
            base_version=data["base_version"],
            reason=data.get("reason", ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SequencedEvent:
    """A leaf of the audit log: the event, its position and the hash of the leaf before it. The raw bytes of this record are the leaf."""

    sequence: int
    """Position in the log, from 0, without gaps."""
    previous_sha256: bytes
    """SHA-256 of the leaf before it; 32 zero bytes for the first."""
    event: AuditEvent
    """The event."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "sequence": self.sequence,
            "previous_sha256": self.previous_sha256,
            "event": self.event.to_avro(),
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> SequencedEvent:
        return cls(
            sequence=data["sequence"],
            previous_sha256=data["previous_sha256"],
            event=AuditEvent.from_avro(data["event"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """An operator raised again and again on one item, and goes on without it. Its bytes and the traceback are in topic quarantine."""

    operator: str
    """The operator."""
    item: str
    """partition@offset of a record of its topic, else the beginning of the SHA-256 of a message."""
    item_sha256: bytes
    """SHA-256 of the bytes, 32 bytes."""
    error: str
    """Type of the exception."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "operator": self.operator,
            "item": self.item,
            "item_sha256": self.item_sha256,
            "error": self.error,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> SetAside:
        return cls(
            operator=data["operator"],
            item=data["item"],
            item_sha256=data["item_sha256"],
            error=data["error"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task of the federation. Signed by the operator; in the topic registry."""

    task: str
    """Task."""
    specification: str
    """The task file, as JSON (schemas/task.schema.json)."""
    layout: tuple[TensorLayout, ...]
    """Layout of the model."""
    base_version: int
    """Version the first round starts from."""
    base_digest: bytes
    """Digest of that model, 32 bytes."""
    base_chunks: tuple[ChunkReference, ...]
    """Its chunks in topic model-blobs."""
    created_ms: int
    """When it was created."""
    version: int = 0
    """Which text of this entry: counted up by whoever signs it, so that an older one cannot come back; 0: not counted."""
    status: TaskStatus = TaskStatus.RUNNING
    """What the operator wants of the task."""
    reason: str = ""
    """Why, in the operator's words, at most 500 characters; empty where nothing is said."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ("base_chunks",)

    def to_avro(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "specification": self.specification,
            "layout": [item.to_avro() for item in self.layout],
            "base_version": self.base_version,
            "base_digest": self.base_digest,
            "base_chunks": [item.to_avro() for item in self.base_chunks],
            "created_ms": self.created_ms,
            "version": self.version,
            "status": self.status.value,
            "reason": self.reason,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Task:
        return cls(
            task=data["task"],
            specification=data["specification"],
            layout=tuple([TensorLayout.from_avro(item) for item in data["layout"]]),
            base_version=data["base_version"],
            base_digest=data["base_digest"],
            base_chunks=tuple([ChunkReference.from_avro(item) for item in data["base_chunks"]]),
            created_ms=data["created_ms"],
            version=data.get("version", 0),
            status=TaskStatus(data.get("status", "RUNNING")),
            reason=data.get("reason", ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """An accelerated form of a published model: what made it, and where its bytes lie. Signed; topic variants."""

    task: str
    """Task."""
    version: int
    """Version of the model."""
    model_digest: bytes
    """Digest of the model, 32 bytes."""
    name: str
    """Name of the variant in the task's terms."""
    recipe: str
    """The recipe and its parameters, canonical JSON."""
    builders: str
    """Versions of what built it, canonical JSON by package."""
    calibration_sha256: bytes
    """SHA-256 of the file of calibration inputs, 32 bytes."""
    artefact_sha256: bytes
    """SHA-256 of the artefact, 32 bytes: an ONNX file, or, of recipes that torch runs on accelerators (torch_fp32, torch_bf16, torch_fp16), the state of the task's module as a safetensors file."""
    artefact_bytes: int
    """Its length."""
    deterministic: bool
    """Whether the same model, recipe and builders give the same bytes on any machine; otherwise answers are compared."""
    chunks: tuple[ChunkReference, ...]
    """Where the artefact lies in variant-blobs, in order."""
    failure: str
    """Why the recipe does not fit the model; then there is no artefact. Empty otherwise."""
    created_ms: int
    """When it was built, milliseconds since 1970."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ("chunks",)

    def to_avro(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "version": self.version,
            "model_digest": self.model_digest,
            "name": self.name,
            "recipe": self.recipe,
            "builders": self.builders,
            "calibration_sha256": self.calibration_sha256,
            "artefact_sha256": self.artefact_sha256,
            "artefact_bytes": self.artefact_bytes,
            "deterministic": self.deterministic,
            "chunks": [item.to_avro() for item in self.chunks],
            "failure": self.failure,
            "created_ms": self.created_ms,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Variant:
        return cls(
            task=data["task"],
            version=data["version"],
            model_digest=data["model_digest"],
            name=data["name"],
            recipe=data["recipe"],
            builders=data["builders"],
            calibration_sha256=data["calibration_sha256"],
            artefact_sha256=data["artefact_sha256"],
            artefact_bytes=data["artefact_bytes"],
            deterministic=data["deterministic"],
            chunks=tuple([ChunkReference.from_avro(item) for item in data["chunks"]]),
            failure=data["failure"],
            created_ms=data["created_ms"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one kind of evidence measured of an update."""

    name: str
    """What was measured."""
    value: float
    """The measure."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ()
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": self.value,
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Score:
        return cls(
            name=data["name"],
            value=data["value"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What validation decided about one input record; exactly one per record of the topics updates and enrolments."""

    source_topic: str
    """Topic of the record judged."""
    source_partition: int
    """Its partition."""
    source_offset: int
    """Its offset."""
    source_timestamp_ms: int
    """Its broker time."""
    record_sha256: bytes
    """SHA-256 of its raw value, 32 bytes."""
    participant: str
    """Participant; a claim where the signature was not verified."""
    task: str
    """Task; empty where not known."""
    round: int
    """Round; 0 where not known."""
    attempt: int
    """Attempt; 0 where not known."""
    update_id: str
    """Update; empty where not known."""
    decision: Decision
    """The decision."""
    reason: Reason
    """The reason."""
    norm: float
    """L2 norm of the update; 0 where the content was not read."""
    max_abs: float
    """Largest absolute element; 0 where the content was not read."""
    scores: tuple[Score, ...] = ()
    """What evidence beyond the limits measured of the update, by name."""

    INT_FIELDS: ClassVar[tuple[str, ...]] = ("source_partition", "attempt")
    RECORD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def to_avro(self) -> dict[str, Any]:
        return {
            "source_topic": self.source_topic,
            "source_partition": self.source_partition,
            "source_offset": self.source_offset,
            "source_timestamp_ms": self.source_timestamp_ms,
            "record_sha256": self.record_sha256,
            "participant": self.participant,
            "task": self.task,
            "round": self.round,
            "attempt": self.attempt,
            "update_id": self.update_id,
            "decision": self.decision.value,
            "reason": self.reason.value,
            "norm": self.norm,
            "max_abs": self.max_abs,
            "scores": [item.to_avro() for item in self.scores],
        }

    @classmethod
    def from_avro(cls, data: dict[str, Any]) -> Verdict:
        return cls(
            source_topic=data["source_topic"],
            source_partition=data["source_partition"],
            source_offset=data["source_offset"],
            source_timestamp_ms=data["source_timestamp_ms"],
            record_sha256=data["record_sha256"],
            participant=data["participant"],
            task=data["task"],
            round=data["round"],
            attempt=data["attempt"],
            update_id=data["update_id"],
            decision=Decision(data["decision"]),
            reason=Reason(data["reason"]),
            norm=data["norm"],
            max_abs=data["max_abs"],
            scores=tuple([Score.from_avro(item) for item in data.get("scores", [])]),
        )
