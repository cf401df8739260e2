"""A federation in memory: the topics that honest stages would have written, for tests to tamper with."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from fluvial.admission.over_rate import OverRates
from fluvial.auditor.reader import TopicRecord
from fluvial.identity.envelope import seal
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.registry.approval import approve
from fluvial.transparency.chain import ChainEnd
from fluvial.transparency.event import Recorded
from fluvial.transparency.note import NoteKey
from fluvial.wire.framing import encode
from fluvial.wire.layout import layout_digest, model_digest
from fluvial.wire.records import (
    AuditEvent,
    ChunkReference,
    Contribution,
    Decision,
    DeviceProfile,
    Metric,
    ModelManifest,
    ModelUpdate,
    Outcome,
    Participant,
    ParticipantStatus,
    PublishedModel,
    Reason,
    Receipt,
    Release,
    Round,
    RoundEvent,
    RoundStatus,
    RoundTransition,
    Score,
    Task,
    TensorLayout,
    Verdict,
    WindowMode,
)
from fluvial.wire.sampling import round_seed
from fluvial.wire.task_file import TaskFile
from fluvial.wire.topics import Topics
from governance.audit import sequencer, signer
from governance.audit.events import audit_event, participant_event

ORIGIN = "log.example/audit"
START_MS = 1_700_000_000_000
TASK = "digits"


TERMS: dict[str, Any] = {
    "task": TASK,
    "title": "Digits",
    "model": {"architecture": "none"},
    "rounds": 9,
    "quorum": 2,
    "target": 2,
    "deadline_seconds": 60,
    "limits": {"max_abs": 1.0, "max_weight": 100},
    "chunk_elements": 4,
    "kept_versions": 4,
}
"""As `a_round` has them."""
LAYOUT = (TensorLayout(name="w", shape=(4,)),)


def chunk_of(version: int) -> bytes:
    """SHA-256 of the one chunk of a version."""
    return sha256(b"%d" % version).digest()


def digest_of(version: int) -> bytes:
    return model_digest([chunk_of(version)])


def a_participant(name: str, key: SigningKey) -> Participant:
    return Participant(
        participant=name,
        public_key=key.public_key,
        status=ParticipantStatus.ACTIVE,
        agreements=(),
        device=DeviceProfile(platform="linux", machine="x86_64", memory_bytes=0, accelerator="", network=""),
        enrolled_ms=START_MS,
        request_sha256=sha256(name.encode() + key.public_key).digest(),
    )


def an_update(name: str, round_: int) -> ModelUpdate:
    return ModelUpdate(
        task=TASK,
        round=round_,
        attempt=1,
        participant=name,
        update_id=f"{name}-{round_}",
        base_version=round_ - 1,
        base_digest=digest_of(round_ - 1),
        weight=10,
        encoding="float32",
        layout_digest=layout_digest(LAYOUT),
        scales=(),
        inline=bytes(16),
        chunks=(),
        created_ms=0,
    )


def a_round(round_: int) -> Round:
    return Round(
        task=TASK,
        round=round_,
        attempt=1,
        status=RoundStatus.OPEN,
        base_version=round_ - 1,
        base_digest=digest_of(round_ - 1),
        base_chunks=(),
        layout=LAYOUT,
        layout_digest=layout_digest(LAYOUT),
        num_elements=4,
        chunk_elements=4,
        opened_ms=START_MS,
        deadline_ms=START_MS + 60_000,
        quorum=2,
        target=2,
        max_abs=1.0,
        max_norm=0.0,
        max_weight=100,
        fraction_bits=20,
        kept_versions=4,
        rule='{"name":"weighted_mean"}',
        server_optimizer="",
        optimizer_chunks=(),
        window=WindowMode.SYNCHRONOUS,
        grace_ms=0,
        max_staleness=0,
        staleness="",
        seed=round_seed(TASK, round_, 1, digest_of(round_ - 1)),
        invited_fraction=1.0,
        partial=False,
        encodings=("float32",),
        agreement="",
        training="{}",
    )


@dataclass(slots=True)
class World:
    """`records` and `begin_offsets` make it a TopicReader. Offsets of `audit` have gaps, as transactions leave them."""

    topics: Topics = field(default_factory=Topics)
    keys: dict[str, SigningKey] = field(default_factory=dict)
    kept: dict[str, list[TopicRecord]] = field(default_factory=dict)
    begin: dict[str, dict[int, int]] = field(default_factory=dict)
    events: list[AuditEvent] = field(default_factory=list)
    now_ms: int = START_MS
    log_end: ChainEnd = field(default_factory=ChainEnd)
    signer_state: signer.SignerState = field(default_factory=signer.SignerState)

    def key(self, name: str) -> SigningKey:
        return self.keys.setdefault(name, SigningKey.generate())

    @property
    def log_key(self) -> NoteKey:
        return NoteKey(name=ORIGIN, public_key=self.key("log").public_key)

    @property
    def federation(self) -> Federation:
        return Federation(
            bootstrap_servers="none:0",
            operator_key=self.key("operator").public_key.hex(),
            registrar_key=self.key("registrar").public_key.hex(),
            aggregator_key=self.key("aggregator").public_key.hex(),
            log_key=self.log_key.to_text(),
        )

    def records(self, topic: str, since_ms: int = 0) -> Iterator[TopicRecord]:
        yield from (record for record in self.kept.get(topic, []) if record.timestamp_ms >= since_ms)

    def begin_offsets(self, topic: str) -> Mapping[int, int]:
        return self.begin.get(topic, {0: 0})

    def append(self, topic: str, value: bytes, key: bytes = b"", *, partition: int = 0, step: int = 1) -> TopicRecord:
        before = [record.offset for record in self.kept.get(topic, []) if record.partition == partition]
        self.now_ms += 10
        record = TopicRecord(
            topic=topic,
            partition=partition,
            offset=before[-1] + step if before else 0,
            timestamp_ms=self.now_ms,
            key=key,
            value=value,
        )
        self.kept.setdefault(topic, []).append(record)
        return record

    def enrol(
        self,
        name: str,
        key: SigningKey | None = None,
        *,
        signed_by: str = "registrar",
        status: ParticipantStatus = ParticipantStatus.ACTIVE,
        **fields: Any,
    ) -> None:
        """In the registry, and by the registrar in the log too."""
        participant = a_participant(name, key or self.key(name))
        participant = replace(participant, enrolled_ms=self.now_ms, status=status, **fields)
        sealed = seal(participant, self.key(signed_by), signed_by)
        self.append(self.topics.registry, sealed, b"participant/" + name.encode())
        if status is ParticipantStatus.ACTIVE:
            self.events.append(participant_event(sealed, self.now_ms))

    def update(self, name: str, round_: int, *, partition: int = 0) -> TopicRecord:
        sealed = seal(an_update(name, round_), self.key(name), name)
        return self.append(self.topics.updates, sealed, name.encode(), partition=partition)

    def judge(
        self,
        record: TopicRecord,
        name: str,
        round_: int,
        decision: Decision = Decision.ACCEPT,
        *,
        leaf: bool = True,
        scores: tuple[Score, ...] = (),
        reason: Reason | None = None,
    ) -> TopicRecord:
        """round_: 0 for a record of which the gate could not tell."""
        verdict = Verdict(
            source_topic=record.topic,
            source_partition=record.partition,
            source_offset=record.offset,
            source_timestamp_ms=record.timestamp_ms,
            record_sha256=sha256(record.value or b"").digest(),
            participant=name,
            task=TASK if round_ else "",
            round=round_,
            attempt=1 if round_ else 0,
            update_id=f"{name}-{round_}" if round_ else "",
            decision=decision,
            reason=reason or (Reason.ACCEPTED if decision is Decision.ACCEPT else Reason.ENVELOPE),
            norm=1.0,
            max_abs=0.5,
            scores=scores,
        )
        if leaf:
            self.event(verdict)
        return self.append(self.topics.verdicts, encode(verdict), name.encode())

    def refuse(self, records: Sequence[TopicRecord], name: str, *, leaf: bool = True, **changes: Any) -> TopicRecord:
        """Records of one partition that one sender, or nobody, sent beyond its share. changes: of the `OverRate`."""
        gathered = OverRates(records[0].topic)
        for record in records:
            gathered.add((record.partition, name), record.offset, record.timestamp_ms, record.value or b"")
        (refused,) = gathered.take()
        refused = replace(refused, **changes)
        if leaf:
            self.event(refused)
        return self.append(self.topics.verdicts, encode(refused), name.encode())

    def flood(self, name: str, number: int) -> list[TopicRecord]:
        """Junk of somebody, or with an empty name of names that nobody has."""
        names = (name or f"nobody-{each}" for each in range(number))
        return [self.append(self.topics.updates, b"junk", each.encode()) for each in names]

    def publish(
        self, version: int, contributions: Mapping[str, TopicRecord], *, leaf: bool = True, terms: str = ""
    ) -> ModelManifest:
        """Version 0 by the operator without a leaf, the others by the aggregator. contributions: updates by
        participant.
        """
        chunk = chunk_of(version)
        parts = [
            Contribution(
                participant=name,
                update_id=f"{name}-{version}",
                source_partition=record.partition,
                source_offset=record.offset,
                record_sha256=sha256(record.value or b"").digest(),
                weight=10,
                selected=True,
                effective_weight=10,
                round=version,
            )
            for name, record in contributions.items()
        ]
        manifest = ModelManifest(
            task=TASK,
            version=version,
            parent_version=version - 1,
            parent_digest=digest_of(version - 1) if version else b"",
            round=version,
            attempt=1,
            rule='{"name":"weighted_mean"}',
            server_optimizer="",
            staleness="",
            optimizer_chunks=(),
            partial=False,
            fraction_bits=20,
            total_weight=10 * len(parts),
            layout=LAYOUT,
            num_elements=4,
            chunk_elements=4,
            chunks=(ChunkReference(partition=0, offset=version, length=16, sha256=chunk),),
            model_digest=model_digest([chunk]),
            contributions=tuple(sorted(parts, key=lambda part: part.record_sha256)),
            created_ms=self.now_ms,
            terms=terms,
        )
        self.publish_manifest(manifest, "aggregator" if version else "operator", leaf=leaf and version > 0)
        return manifest

    def open_round(self, round_: int, **changes: Any) -> Round:
        """Signed by the aggregator, and its leaf."""
        record = replace(a_round(round_), **changes)
        self.append(self.topics.rounds, seal(record, self.key("aggregator"), "aggregator"), record.task.encode())
        self.transition(record.round, RoundTransition.OPENED, attempt=record.attempt)
        return record

    def register(self, version: int, *operators: str, **changes: Any) -> TaskFile:
        """The task with these terms, signed by the federation's operator and by others of those whom it names."""
        named = {name: self.key(name).public_key.hex() for name in ("olga", "otto", "oskar")}
        approval = {"operators": 2, "operator_keys": named}
        file = TaskFile.model_validate({**TERMS, "approval": approval, **changes})
        task = Task(
            task=TASK,
            specification=file.specification(),
            layout=LAYOUT,
            base_version=0,
            base_digest=digest_of(0),
            base_chunks=(),
            created_ms=self.now_ms,
            version=version,
        )
        sealed = seal(task, self.key("operator"), "operator")
        for name in operators:
            sealed = approve(sealed, self.key(name), name)
        self.append(self.topics.registry, sealed, f"task/{TASK}".encode())
        return file

    def transition(self, round_: int, transition: RoundTransition, *, attempt: int = 1) -> None:
        self.event(
            RoundEvent(
                task=TASK,
                round=round_,
                attempt=attempt,
                transition=transition,
                num_updates=0,
                base_version=round_ - 1,
            )
        )

    def answer(self, name: str, round_: int, outcome: Outcome = Outcome.INCLUDED, *, leaf: bool = True) -> Receipt:
        made = outcome in (Outcome.INCLUDED, Outcome.EXCLUDED)
        receipt = Receipt(
            task=TASK,
            round=round_,
            attempt=1,
            participant=name,
            update_id=f"{name}-{round_}",
            outcome=outcome,
            version=round_ if made else 0,
            weight=10,
            model_digest=digest_of(round_) if made else b"",
        )
        self.put_receipt(receipt, leaf=leaf)
        return receipt

    def put_receipt(self, receipt: Receipt, *, leaf: bool = True) -> None:
        self.append(self.topics.receipts, encode(receipt), receipt.participant.encode())
        if leaf:
            self.event(receipt)

    def release(self, version: int, **changes: Any) -> Release:
        release = Release(
            task=TASK,
            version=version,
            model_digest=digest_of(version),
            metrics=(Metric(name="accuracy", value=0.5),),
            num_examples=10,
            device="cpu",
            duration_ms=1,
        )
        release = replace(release, **changes)
        self.put_release(release)
        self.event(release)
        return release

    def put_release(self, release: Release) -> None:
        self.append(self.topics.releases, encode(release), TASK.encode())

    def publish_manifest(self, manifest: ModelManifest, signed_by: str, *, leaf: bool) -> None:
        sealed = seal(manifest, self.key(signed_by), signed_by)
        self.append(self.topics.models, sealed, f"{manifest.task}/{manifest.version}".encode())
        if leaf:
            self.event(
                PublishedModel(
                    task=manifest.task,
                    version=manifest.version,
                    round=manifest.round,
                    attempt=manifest.attempt,
                    model_digest=manifest.model_digest,
                    manifest_sha256=sha256(sealed).digest(),
                    num_selected=sum(part.selected for part in manifest.contributions),
                    num_contributions=len(manifest.contributions),
                )
            )

    def event(self, record: Recorded) -> None:
        self.events.append(audit_event(record, self.now_ms))

    def sequence(self) -> None:
        """Turn the events so far into leaves."""
        for event in self.events:
            self.log_end, leaf = sequencer.append(self.log_end, event)
            record = self.append(self.topics.audit, leaf, step=2)
            self.signer_state = signer.append(self.signer_state, record.offset, leaf)
        self.events.clear()

    def sign(self) -> bytes:
        note = signer.checkpoint(self.signer_state, self.key("log"), ORIGIN)
        self.append(self.topics.checkpoints, note)
        return note

    def replace_value(self, topic: str, index: int, value: bytes) -> None:
        """Tamper with a record."""
        self.kept[topic][index] = self.kept[topic][index]._replace(value=value)


def honest_world() -> World:
    """Two participants, two rounds, an update that was refused in each, three checkpoints; 12 leaves."""
    world = World()
    for name in ("anna", "ben"):
        world.enrol(name)
    world.publish(0, {})
    for round_ in (1, 2):
        world.open_round(round_)
        updates = {name: world.update(name, round_, partition=number) for number, name in enumerate(("anna", "ben"))}
        for name, record in updates.items():
            world.judge(record, name, round_)
        forged = world.append(world.topics.updates, b"forged %d" % round_, b"mallory", partition=1)
        world.judge(forged, "mallory", 0, Decision.REJECT)
        world.publish(round_, updates)
        world.sequence()
        world.sign()
    world.sign()
    return world
