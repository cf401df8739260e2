"""A small federation in memory: keys, a round, updates, and views that a dict answers."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from hashlib import sha256
from typing import Any

import numpy as np

from fluvial import encoding
from fluvial.identity.envelope import pre_authentication_encoding, seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.framing import encode
from fluvial.wire.layout import chunk_partition, layout_digest
from fluvial.wire.media_types import media_type
from fluvial.wire.records import (
    AcceptedUpdate,
    Agreement,
    ChunkReference,
    DeviceProfile,
    EnrolmentToken,
    Envelope,
    ModelUpdate,
    Participant,
    ParticipantStatus,
    Round,
    RoundStatus,
    Signature,
    SignedAgreement,
    Task,
    TensorLayout,
    Verdict,
    WindowMode,
)
from governance.admission import gate
from governance.admission.content import ContentInspector, inspect_inline

KEY = SigningKey.from_seed(bytes([1]) * 32)
OTHER_KEY = SigningKey.from_seed(bytes([2]) * 32)
LAYOUT = (TensorLayout(name="weight", shape=(2, 3)), TensorLayout(name="bias", shape=(3,)))
TERMS = Agreement(agreement="terms", text="Be good.", valid_from_ms=1_000, valid_until_ms=9_000)
TERMS_SHA256 = sha256(encode(TERMS)).digest()
DEVICE = DeviceProfile(platform="linux", machine="x86_64", memory_bytes=1, accelerator="", network="")
PARTITIONS = 4
POLICY = gate.GatePolicy(max_record_bytes=4096, partitions=PARTITIONS)
NOW_MS = 5_000
DELTA = np.array([0.5, -1.5, 2.0, 0.0, 1.0, -0.25, 3.0, -2.0, 0.125], np.float32)


@dataclass
class World:
    """Registry, rounds and what was accepted of one participant. Answers every view of the gate and of enrolment."""

    participants: dict[str, Participant] = field(default_factory=dict)
    agreements: dict[str, tuple[Agreement, bytes]] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    rounds: dict[str, Round] = field(default_factory=dict)
    earlier: dict[tuple[str, int], Round] = field(default_factory=dict)
    tokens: dict[bytes, EnrolmentToken] = field(default_factory=dict)
    seen: dict[tuple[str, int, int], bytes] = field(default_factory=dict)
    failures: dict[tuple[str, int], int] = field(default_factory=dict)

    def participant(self, participant: str) -> Participant | None:
        return self.participants.get(participant)

    def is_revoked(self, participant: str, public_key: bytes) -> bool:
        known = self.participants.get(participant)
        return known is not None and (known.status, known.public_key) == (ParticipantStatus.REVOKED, public_key)

    def agreement(self, agreement: str) -> Agreement | None:
        entry = self.agreements.get(agreement)
        return entry[0] if entry else None

    def agreement_sha(self, agreement: str) -> bytes | None:
        entry = self.agreements.get(agreement)
        return entry[1] if entry else None

    def task(self, task: str) -> Task | None:
        return self.tasks.get(task)

    def current(self, task: str) -> Round | None:
        return self.rounds.get(task)

    def opened(self, task: str, round: int) -> Round | None:
        return self.earlier.get((task, round))

    def token(self, token_sha256: bytes) -> EnrolmentToken | None:
        return self.tokens.get(token_sha256)

    def accepted(self, participant: str, task: str, round: int, attempt: int) -> bytes | None:
        return self.seen.get((task, round, attempt))

    def accepted_in_round(self, participant: str, task: str, round: int) -> bool:
        return any(place[:2] == (task, round) for place in self.seen)

    def digest_seen(self, participant: str, record_sha256: bytes) -> bool:
        return record_sha256 in self.seen.values()

    def num_failures(self, participant: str, task: str, round: int) -> int:
        return self.failures.get((task, round), 0)

    def remember(self, raw: bytes, update: ModelUpdate) -> None:
        """What the validation job does after an acceptance."""
        self.seen[update.task, update.round, update.attempt] = sha256(raw).digest()

    def snapshot(self) -> World:
        """A copy that later changes do not reach: the records themselves are frozen."""
        return World(**{one.name: copy.copy(getattr(self, one.name)) for one in fields(self)})


def a_task(**changes: Any) -> Task:
    values: dict[str, Any] = {
        "task": "demo",
        "specification": "{}",
        "layout": LAYOUT,
        "base_version": 0,
        "base_digest": bytes(32),
        "base_chunks": (),
        "created_ms": 0,
    }
    return Task(**{**values, **changes})


def a_round(**changes: Any) -> Round:
    values: dict[str, Any] = {
        "task": "demo",
        "round": 3,
        "attempt": 2,
        "status": RoundStatus.OPEN,
        "base_version": 2,
        "base_digest": bytes([7]) * 32,
        "base_chunks": (),
        "layout": LAYOUT,
        "layout_digest": layout_digest(LAYOUT),
        "num_elements": 9,
        "chunk_elements": 4,
        "opened_ms": 1_000,
        "deadline_ms": 4_000,
        "quorum": 2,
        "target": 3,
        "max_abs": 10.0,
        "max_norm": 20.0,
        "max_weight": 100,
        "fraction_bits": 30,
        "kept_versions": 4,
        "rule": '{"name": "weighted_mean"}',
        "server_optimizer": "",
        "optimizer_chunks": (),
        "window": WindowMode.SYNCHRONOUS,
        "grace_ms": 0,
        "max_staleness": 0,
        "staleness": "",
        "seed": bytes(32),
        "invited_fraction": 1.0,
        "partial": False,
        "encodings": tuple(encoding.ENCODINGS),
        "agreement": "terms",
        "training": "{}",
    }
    return Round(**{**values, **changes})


def a_participant(**changes: Any) -> Participant:
    values: dict[str, Any] = {
        "participant": "alice",
        "public_key": KEY.public_key,
        "status": ParticipantStatus.ACTIVE,
        "agreements": (SignedAgreement(agreement="terms", sha256=TERMS_SHA256),),
        "device": DEVICE,
        "enrolled_ms": 1_500,
        "request_sha256": bytes(32),
    }
    return Participant(**{**values, **changes})


def a_world(round_: Round | None = None, participant: Participant | None = None) -> World:
    """One enrolled participant, one task with one round open."""
    round_ = round_ or a_round()
    participant = participant or a_participant()
    return World(
        participants={participant.participant: participant},
        agreements={"terms": (TERMS, TERMS_SHA256)},
        tasks={"demo": a_task()},
        rounds={round_.task: round_},
    )


def chunks_of(delta: Any = DELTA, name: str = "float32", round_: Round | None = None) -> tuple[list[bytes], Any]:
    """(chunks, scales) of an encoded delta."""
    round_ = round_ or a_round()
    encoded = encoding.encoder(name).encode(delta, round_.layout, round_.chunk_elements)
    return [bytes(chunk) for chunk in encoded.chunks], encoded.scales


def references(chunks: list[bytes], first_offset: int = 100) -> tuple[ChunkReference, ...]:
    return tuple(
        ChunkReference(
            partition=chunk_partition("demo", index, PARTITIONS),
            offset=first_offset + index,
            length=len(chunk),
            sha256=sha256(chunk).digest(),
        )
        for index, chunk in enumerate(chunks)
    )


def an_update(round_: Round | None = None, **changes: Any) -> ModelUpdate:
    """An update of DELTA by reference that fits the round."""
    round_ = round_ or a_round()
    values: dict[str, Any] = {
        "task": round_.task,
        "round": round_.round,
        "attempt": round_.attempt,
        "participant": "alice",
        "update_id": "update-1",
        "base_version": round_.base_version,
        "base_digest": round_.base_digest,
        "weight": 10,
        "encoding": "float32",
        "layout_digest": round_.layout_digest,
        "scales": (),
        "inline": None,
        "chunks": references(chunks_of(round_=round_)[0]),
        "created_ms": 4_000,
    }
    return ModelUpdate(**{**values, **changes})


def inline_round(**changes: Any) -> Round:
    """A round whose model is one chunk."""
    return a_round(chunk_elements=16, **changes)


def an_inline_update(delta: Any = DELTA, name: str = "float32", round_: Round | None = None) -> ModelUpdate:
    round_ = round_ or inline_round()
    (inline,), scales = chunks_of(delta, name, round_)
    return an_update(round_, inline=inline, chunks=(), encoding=name, scales=scales, update_id="update-inline")


def sealed(update: Any, key: SigningKey = KEY, keyid: str = "alice") -> bytes:
    return seal(update, key, keyid)


def sealed_bytes(payload: bytes, payload_type: str = media_type(ModelUpdate), key: SigningKey = KEY) -> bytes:
    """An envelope, rightly signed, of a payload that may be anything."""
    signature = Signature(keyid="alice", signature=key.sign(pre_authentication_encoding(payload_type, payload)))
    return encode(Envelope(payload_type=payload_type, payload=payload, signatures=(signature,)))


def a_source(**changes: Any) -> gate.Source:
    values: dict[str, Any] = {
        "topic": "fluvial.updates",
        "partition": 1,
        "offset": 42,
        "timestamp_ms": NOW_MS,
        "key": b"alice",
    }
    return gate.Source(**{**values, **changes})


def judge(
    raw: bytes, world: World, *, source: gate.Source | None = None, policy: gate.GatePolicy = POLICY, final: bool = True
) -> gate.Judgement:
    """The gate's judgement, having checked that it changed nothing. final: the wait of a parked record is over."""
    before = world.snapshot()
    (judgement,) = judge_all([(raw, source or a_source())], world, policy)
    assert world == before
    return gate.Refused(verdict=judgement.verdict) if final and isinstance(judgement, gate.Parked) else judgement


def judge_all(
    records: list[tuple[bytes, gate.Source]], world: World, policy: gate.GatePolicy = POLICY
) -> list[gate.Judgement]:
    """The judgements of records that came together."""
    return list(gate.judge(records, registry=world, rounds=world, seen=world, policy=policy))


def conclude(
    needs: gate.NeedsEvidence, chunks: Sequence[bytes] | None, policy: gate.GatePolicy = POLICY
) -> tuple[Verdict, AcceptedUpdate | None]:
    """The verdict on an update whose chunks are these: None where they cannot be read, ignored for an inline delta."""
    if needs.update.inline is not None:
        return gate.conclude(needs, [inspect_inline(needs.update, needs.round, needs.numbers)], policy)
    inspector = ContentInspector(needs.update, needs.round)
    if chunks is None:
        inspector.unavailable(0)
    else:
        for index, chunk in enumerate(chunks):
            inspector.add(index, chunk)
    return gate.conclude(needs, [inspector.result()], policy)
