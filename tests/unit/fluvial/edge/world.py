"""A federation around a participant, played through any Transport: operator, registrar, validation and aggregation."""

import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.identity.envelope import open_envelope, seal, unseal
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Message, Position, Transport, read_to_end
from fluvial.transparency.chain import ChainEnd
from fluvial.transparency.checkpoint import Checkpoint, sign_checkpoint
from fluvial.transparency.compact_range import CompactRange
from fluvial.transparency.event import Recorded
from fluvial.transparency.merkle import leaf_hash
from fluvial.transparency.note import NoteKey
from fluvial.transparency.signer_state import SignerState
from fluvial.wire.framing import decode, encode
from fluvial.wire.layout import chunk_partition, layout_digest, model_digest, num_elements
from fluvial.wire.records import (
    Agreement,
    ChunkReference,
    Decision,
    DeviceProfile,
    EnrolmentRequest,
    ModelManifest,
    ModelUpdate,
    Outcome,
    Participant,
    ParticipantStatus,
    PublishedModel,
    Reason,
    Receipt,
    Round,
    RoundStatus,
    Task,
    TensorLayout,
    Verdict,
    WindowMode,
)
from fluvial.wire.topics import Topics
from governance.audit.events import audit_event
from governance.audit.sequencer import append

TASK = "demo"
LAYOUT = (TensorLayout(name="weight", shape=(50, 20)), TensorLayout(name="bias", shape=(50,)))
CHUNK_ELEMENTS = 100
PARTITIONS = 3

OPERATOR = SigningKey.from_seed(b"o" * 32)
REGISTRAR = SigningKey.from_seed(b"r" * 32)
AGGREGATOR = SigningKey.from_seed(b"a" * 32)
LOG = SigningKey.from_seed(b"l" * 32)

SPECIFICATION = {
    "task": TASK,
    "title": "A task of the tests",
    "model": {"architecture": "linear", "parameters": {"inputs": 20}, "seed": 1},
    "rounds": 3,
    "quorum": 1,
    "target": 2,
    "deadline_seconds": 10,
    "limits": {"max_abs": 10.0, "max_weight": 1000},
    "agreement": {"name": "research", "text": "For research only."},
}


def a_federation(bootstrap_servers: str = "memory", prefix: str = "test.") -> Federation:
    """The federation file of the tests' parties."""
    return Federation(
        bootstrap_servers=bootstrap_servers,
        topic_prefix=prefix,
        partitions=PARTITIONS,
        operator_key=OPERATOR.public_key.hex(),
        registrar_key=REGISTRAR.public_key.hex(),
        aggregator_key=AGGREGATOR.public_key.hex(),
        log_key=NoteKey(name="log.example/audit", public_key=LOG.public_key).to_text(),
    )


def topic_partitions(federation: Federation) -> dict[str, int]:
    """Partitions by topic."""
    return {settings.name: settings.partitions for settings in federation.topics.all_settings(PARTITIONS)}


class Log:
    """The audit log of a world."""

    def __init__(self, topics: Topics, transport: Transport) -> None:
        self._topics, self._transport = topics, transport
        self.end, self.tree, self.last_offset = ChainEnd(), CompactRange.empty(), -1

    def add(self, record: Recorded) -> Position:
        """The next leaf."""
        self.end, leaf = append(self.end, audit_event(record, 1))
        self.tree = self.tree.append(leaf_hash(leaf))
        place = self._transport.produce(self._topics.audit, leaf, key=b"").result(120)
        self.last_offset = place.offset
        return place

    @property
    def state(self) -> SignerState:
        """What the signer writes beside a checkpoint of all leaves."""
        return SignerState(tree=self.tree, previous_sha256=self.end.previous_sha256, last_offset=self.last_offset)

    def sign(self) -> Position:
        """A checkpoint of all leaves."""
        checkpoint = Checkpoint(origin="log.example/audit", size=self.tree.size, root=self.tree.root())
        note = sign_checkpoint(checkpoint, LOG)
        return self._transport.produce(self._topics.checkpoints, note, key=b"").result(120)


def a_model(digest: bytes, version: int = 1) -> PublishedModel:
    """A model as the audit log tells of it."""
    return PublishedModel(
        task=TASK,
        version=version,
        round=version,
        attempt=1,
        model_digest=digest,
        manifest_sha256=bytes(32),
        num_selected=1,
        num_contributions=1,
    )


class World:
    """Everybody but the participant. audited: whether the stage audit runs, and proves models and answers at once."""

    def __init__(self, federation: Federation, transport: Transport, *, audited: bool = True) -> None:
        self.federation = federation
        self.topics = federation.topics
        self.transport = transport
        self.log = Log(federation.topics, transport)
        self._audited = audited

    def prove(self, round_: Round) -> None:
        """The audit log tells of the model that the round begins on."""
        self._record(replace(a_model(round_.base_digest, round_.base_version), task=round_.task))

    def _record(self, record: Recorded) -> None:
        if self._audited:
            self.log.add(record)
            self.log.sign()

    def put(self, topic: str, key: str, value: bytes) -> Position:
        """Publishes a record and waits for it."""
        return self.transport.produce(topic, value, key=key.encode()).result(120)

    def publish_agreement(
        self, name: str = "research", text: str = "For research only.", signer: SigningKey = OPERATOR
    ) -> bytes:
        """Returns the SHA-256 that a participant signs."""
        record = Agreement(agreement=name, text=text, valid_from_ms=0, valid_until_ms=1 << 50)
        raw = seal(record, signer, "operator")
        self.put(self.topics.registry, f"agreement/{name}", raw)
        return hashlib.sha256(open_envelope(raw).payload).digest()

    def publish_model(self, model_D: NDArray[np.float32]) -> tuple[tuple[ChunkReference, ...], bytes]:
        """Publishes a model's chunks; returns their references and the model's digest."""
        chunks = []
        for number, first in enumerate(range(0, model_D.size, CHUNK_ELEMENTS)):
            data = model_D[first : first + CHUNK_ELEMENTS].tobytes()
            at = self.transport.produce(
                self.topics.model_blobs, data, key=b"chunk", partition=chunk_partition(TASK, number, PARTITIONS)
            ).result(120)
            sha256 = hashlib.sha256(data).digest()
            chunks.append(ChunkReference(partition=at.partition, offset=at.offset, length=len(data), sha256=sha256))
        return tuple(chunks), model_digest(chunk.sha256 for chunk in chunks)

    def publish_task(self) -> Task:
        record = Task(
            task=TASK,
            specification=json.dumps(SPECIFICATION),
            layout=LAYOUT,
            base_version=0,
            base_digest=bytes(32),
            base_chunks=(),
            created_ms=1,
        )
        self.put(self.topics.registry, f"task/{TASK}", seal(record, OPERATOR, "operator"))
        return record

    def open_round(
        self,
        number: int = 1,
        attempt: int = 1,
        model_D: NDArray[np.float32] | None = None,
        status: RoundStatus = RoundStatus.OPEN,
        signer: SigningKey = AGGREGATOR,
        **changes: Any,
    ) -> Round:
        """Opens a round on a model, by default of ones times the round's number. changes: to fields of its record."""
        record = replace(self.a_round(number, attempt, model_D, status), **changes)
        self.prove(record)
        self.put(self.topics.rounds, TASK, seal(record, signer, "aggregator"))
        return record

    def a_round(
        self,
        number: int = 1,
        attempt: int = 1,
        model_D: NDArray[np.float32] | None = None,
        status: RoundStatus = RoundStatus.OPEN,
    ) -> Round:
        """A round whose base model's chunks are published."""
        size = num_elements(LAYOUT)
        base_D = np.full(size, number, np.float32) if model_D is None else model_D
        chunks, digest = self.publish_model(base_D)
        return Round(
            task=TASK,
            round=number,
            attempt=attempt,
            status=status,
            base_version=number - 1,
            base_digest=digest,
            base_chunks=chunks,
            layout=LAYOUT,
            layout_digest=layout_digest(LAYOUT),
            num_elements=size,
            chunk_elements=CHUNK_ELEMENTS,
            opened_ms=1,
            deadline_ms=1 << 50,
            quorum=1,
            target=2,
            max_abs=10.0,
            max_norm=0.0,
            max_weight=1000,
            fraction_bits=30,
            kept_versions=4,
            rule='{"name":"weighted_mean"}',
            server_optimizer="",
            optimizer_chunks=(),
            window=WindowMode.SYNCHRONOUS,
            grace_ms=0,
            max_staleness=0,
            staleness="",
            seed=bytes(32),
            invited_fraction=1.0,
            partial=False,
            encodings=("float32", "int8"),
            agreement="",
            training='{"epochs":2}',
        )

    def publish_manifest(self, version: int, signer: SigningKey) -> ModelManifest:
        model_D = np.full(num_elements(LAYOUT), version, np.float32)
        chunks, digest = self.publish_model(model_D)
        record = ModelManifest(
            task=TASK,
            version=version,
            parent_version=version - 1,
            parent_digest=b"",
            round=version,
            attempt=1,
            rule='{"name":"weighted_mean"}',
            server_optimizer="",
            staleness="",
            optimizer_chunks=(),
            partial=False,
            fraction_bits=30,
            total_weight=1,
            layout=LAYOUT,
            num_elements=model_D.size,
            chunk_elements=CHUNK_ELEMENTS,
            chunks=chunks,
            model_digest=digest,
            contributions=(),
            created_ms=1,
        )
        self.put(self.topics.models, f"{TASK}/{version}", seal(record, signer, "signer"))
        return record

    def enrolment_requests(self) -> list[tuple[Message, EnrolmentRequest]]:
        """The requests in the log, each verified with the key that it brings."""
        found = []
        for message in self._records(self.topics.enrolments):
            claimed = decode(open_envelope(message.value or b"").payload, EnrolmentRequest)
            found.append((message, unseal(message.value or b"", EnrolmentRequest, claimed.public_key)))
        return found

    def admit(
        self,
        message: Message,
        request: EnrolmentRequest,
        status: ParticipantStatus = ParticipantStatus.ACTIVE,
        version: int = 0,
    ) -> None:
        """What the registrar answers; a revocation is the operator's."""
        record = Participant(
            participant=request.participant,
            public_key=request.public_key,
            status=status,
            agreements=request.agreements,
            device=request.device,
            enrolled_ms=message.timestamp_ms,
            request_sha256=hashlib.sha256(message.value or b"").digest(),
            version=version,
        )
        key = f"participant/{request.participant}"
        signer = REGISTRAR if status is ParticipantStatus.ACTIVE else OPERATOR
        self.put(self.topics.registry, key, seal(record, signer, "test"))

    def enrolled(self, name: str, key: SigningKey, **changes: Any) -> None:
        """A participant's record, as the registrar signs it, or, of one that is revoked, the operator."""
        record = Participant(
            participant=name,
            public_key=key.public_key,
            status=ParticipantStatus.ACTIVE,
            agreements=(),
            device=DeviceProfile(platform="", machine="", memory_bytes=0, accelerator="", network=""),
            enrolled_ms=1,
            request_sha256=bytes(32),
        )
        record = replace(record, **changes)
        signer = REGISTRAR if record.status is ParticipantStatus.ACTIVE else OPERATOR
        self.put(self.topics.registry, f"participant/{name}", seal(record, signer, "test"))

    def judge(
        self,
        topic: str,
        position: Position,
        participant: str,
        decision: Decision,
        reason: Reason,
        update_id: str = "",
        record_sha256: bytes = bytes(32),
    ) -> Verdict:
        """A verdict on the record at a position."""
        record = Verdict(
            source_topic=topic,
            source_partition=position.partition,
            source_offset=position.offset,
            source_timestamp_ms=position.timestamp_ms,
            record_sha256=record_sha256,
            participant=participant,
            task=TASK,
            round=1,
            attempt=1,
            update_id=update_id,
            decision=decision,
            reason=reason,
            norm=0.0,
            max_abs=0.0,
        )
        self.put(self.topics.verdicts, participant, encode(record))
        self._record(record)
        return record

    def answer(self, participant: str, update_id: str, outcome: Outcome = Outcome.INCLUDED) -> Receipt:
        """A receipt for an update."""
        record = Receipt(
            task=TASK,
            round=1,
            attempt=1,
            participant=participant,
            update_id=update_id,
            outcome=outcome,
            version=1,
            weight=1,
            model_digest=bytes(32),
        )
        self.put(self.topics.receipts, participant, encode(record))
        self._record(record)
        return record

    def updates(self, public_key: bytes) -> list[ModelUpdate]:
        """The updates in the log, verified with a participant's key."""
        return [unseal(m.value or b"", ModelUpdate, public_key) for m in self._records(self.topics.updates)]

    def chunks(self) -> list[Message]:
        """The chunks that were uploaded."""
        return self._records(self.topics.update_blobs)

    def delta_of(self, update: ModelUpdate) -> NDArray[np.float32]:
        """The float32 delta that an update's references lead to; digests checked."""
        if update.inline is not None:
            return np.frombuffer(update.inline, "<f4")
        values = self.transport.fetch(
            self.topics.update_blobs, [(chunk.partition, chunk.offset) for chunk in update.chunks]
        )
        for chunk, value in zip(update.chunks, values, strict=True):
            assert hashlib.sha256(value).digest() == chunk.sha256
            assert len(value) == chunk.length
        return np.frombuffer(b"".join(values), "<f4")

    def _records(self, topic: str) -> list[Message]:
        reader = self.transport.read(topic)
        try:
            return sorted(read_to_end(reader, 30), key=lambda m: (m.timestamp_ms, m.partition, m.offset))
        finally:
            reader.close()


def wait_until(condition: object, seconds: float = 30.0) -> None:
    """Polls a callable until it is true. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)


def soon_after(condition: Callable[[], object], act: Callable[[], object]) -> threading.Thread:
    """A thread, started, that acts a moment after the condition holds: time for what must not follow, however slow the
    machine was in coming to it."""

    def wait_and_act() -> None:
        wait_until(condition)
        time.sleep(0.1)
        act()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread
