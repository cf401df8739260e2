"""A federation in memory: the topics that honest stages would have written, for tests to tamper with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from fluvial.auditor.reader import TopicRecord
from fluvial.identity.envelope import seal
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.transparency.chain import ChainEnd
from fluvial.transparency.event import Recorded
from fluvial.transparency.note import NoteKey
from fluvial.wire.framing import encode
from fluvial.wire.layout import model_digest
from fluvial.wire.records import (
    AuditEvent,
    ChunkReference,
    Contribution,
    Decision,
    DeviceProfile,
    ModelManifest,
    ModelUpdate,
    Participant,
    ParticipantStatus,
    PublishedModel,
    Reason,
    RoundEvent,
    RoundTransition,
    Score,
    TensorLayout,
    Verdict,
)
from fluvial.wire.topics import Topics
from governance.audit import sequencer, signer
from governance.audit.events import audit_event

ORIGIN = "log.example/audit"
START_MS = 1_700_000_000_000
TASK = "digits"


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

    def records(self, topic: str) -> Iterator[TopicRecord]:
        yield from self.kept.get(topic, [])

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

    def enrol(self, name: str) -> None:
        participant = Participant(
            participant=name,
            public_key=self.key(name).public_key,
            status=ParticipantStatus.ACTIVE,
            agreements=(),
            device=DeviceProfile(platform="linux", machine="x86_64", memory_bytes=0, accelerator="", network=""),
            enrolled_ms=self.now_ms,
            request_sha256=sha256(name.encode()).digest(),
        )
        sealed = seal(participant, self.key("registrar"), "registrar")
        self.append(self.topics.registry, sealed, b"participant/" + name.encode())
        self.event(participant)

    def update(self, name: str, round_: int, *, partition: int = 0) -> TopicRecord:
        update = ModelUpdate(
            task=TASK,
            round=round_,
            attempt=1,
            participant=name,
            update_id=f"{name}-{round_}",
            base_version=round_ - 1,
            base_digest=bytes(32),
            weight=10,
            encoding="float32",
            layout_digest=bytes(32),
            scales=(),
            inline=bytes(16),
            chunks=(),
            created_ms=0,
        )
        sealed = seal(update, self.key(name), name)
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
    ) -> TopicRecord:
        verdict = Verdict(
            source_topic=record.topic,
            source_partition=record.partition,
            source_offset=record.offset,
            source_timestamp_ms=record.timestamp_ms,
            record_sha256=sha256(record.value or b"").digest(),
            participant=name,
            task=TASK,
            round=round_,
            attempt=1,
            update_id=f"{name}-{round_}",
            decision=decision,
            reason=Reason.ACCEPTED if decision is Decision.ACCEPT else Reason.SIGNATURE,
            norm=1.0,
            max_abs=0.5,
            scores=scores,
        )
        if leaf:
            self.event(verdict)
        return self.append(self.topics.verdicts, encode(verdict), name.encode())

    def publish(self, version: int, contributions: Mapping[str, TopicRecord], *, leaf: bool = True) -> ModelManifest:
        """Version 0 by the operator without a leaf, the others by the aggregator. contributions: updates by
        participant.
        """
        chunk = sha256(b"%d" % version).digest()
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
            parent_digest=model_digest([sha256(b"%d" % (version - 1)).digest()]) if version else b"",
            round=version,
            attempt=1,
            rule='{"name":"weighted_mean"}',
            server_optimizer="",
            staleness="",
            optimizer_chunks=(),
            partial=False,
            fraction_bits=20,
            total_weight=10 * len(parts),
            layout=(TensorLayout(name="w", shape=(4,)),),
            num_elements=4,
            chunk_elements=4,
            chunks=(ChunkReference(partition=0, offset=version, length=16, sha256=chunk),),
            model_digest=model_digest([chunk]),
            contributions=tuple(sorted(parts, key=lambda part: part.record_sha256)),
            created_ms=self.now_ms,
        )
        self.publish_manifest(manifest, "aggregator" if version else "operator", leaf=leaf and version > 0)
        return manifest

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
        self.kept[topic][index] = replace(self.kept[topic][index], value=value)


def honest_world() -> World:
    """Two participants, two rounds, an update that was refused, three checkpoints; 12 leaves."""
    world = World()
    for name in ("anna", "ben"):
        world.enrol(name)
    world.publish(0, {})
    for round_ in (1, 2):
        world.event(
            RoundEvent(
                task=TASK,
                round=round_,
                attempt=1,
                transition=RoundTransition.OPENED,
                num_updates=0,
                base_version=round_ - 1,
            )
        )
        updates = {name: world.update(name, round_, partition=number) for number, name in enumerate(("anna", "ben"))}
        for name, record in updates.items():
            world.judge(record, name, round_)
        forged = world.append(world.topics.updates, b"forged %d" % round_, partition=1)
        world.judge(forged, "mallory", 0, Decision.REJECT)
        world.publish(round_, updates)
        world.sequence()
        world.sign()
    world.sign()
    return world
