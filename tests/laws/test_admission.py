"""Laws of admission: whatever the bytes, exactly one judgement, and nothing changes but by what is accepted."""

import struct
from dataclasses import replace
from hashlib import sha256
from math import fsum, isfinite, sqrt
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fluvial.identity.envelope import seal
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import (
    ChunkReference,
    Decision,
    EnrolmentRequest,
    ModelUpdate,
    Reason,
    RoundStatus,
    SignedAgreement,
    Verdict,
)
from governance.admission import gate
from governance.registry.enrolment import Enrolled, judge_enrolment
from governance.registry.token_claims import TokenClaims
from tests.laws.effort import examples
from tests.unit.governance.admission.builders import (
    DELTA,
    DEVICE,
    KEY,
    TERMS_SHA256,
    World,
    a_round,
    a_source,
    a_world,
    an_inline_update,
    an_update,
    chunks_of,
    conclude,
    inline_round,
    judge,
    references,
    sealed,
    sealed_bytes,
)

SEEDS = (sealed(an_update()), sealed(an_inline_update()))
ROUND = a_round()
REQUEST = sealed(
    EnrolmentRequest(
        participant="alice",
        public_key=KEY.public_key,
        token="t",
        agreements=(SignedAgreement(agreement="terms", sha256=TERMS_SHA256),),
        device=DEVICE,
        requested_ms=0,
    )
)


@st.composite
def mutated(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A valid record with some bytes changed, cut, repeated or inserted."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["change", "cut", "drop", "insert"])):
            case "change" if position < len(data):
                data[position] ^= draw(st.integers(1, 255))
            case "cut":
                del data[position:]
            case "drop":
                del data[position : position + draw(st.integers(1, 8))]
            case _:
                data[position:position] = draw(st.binary(max_size=8))
    return bytes(data)


longs = st.integers(-(1 << 63), (1 << 63) - 1)
ints = st.integers(-(1 << 31), (1 << 31) - 1)
digests = st.sampled_from([b"", bytes(32), ROUND.base_digest, ROUND.layout_digest])
names = st.sampled_from(["", "alice", "bob", "demo", "float32", "int8"]) | st.text(max_size=4)
chunk_references = st.builds(
    ChunkReference, partition=st.integers(-1, 4), offset=st.integers(-1, 3), length=st.sampled_from([0, 4, 16]),
    sha256=digests,
)  # fmt: skip
"""Close to right, so that hostile lists get far."""


@st.composite
def hostile_updates(draw: st.DrawFn) -> ModelUpdate:
    """An update by an enrolled participant, some of its fields anything at all."""
    fields: dict[str, st.SearchStrategy[Any]] = {
        "task": names,
        "round": st.integers(2, 4) | longs,
        "attempt": st.integers(1, 3) | ints,
        "participant": names,
        "update_id": names,
        "base_version": longs,
        "base_digest": digests,
        "weight": st.integers(-1, 101) | longs,
        "encoding": names,
        "layout_digest": digests,
        "scales": st.lists(st.floats(), max_size=3).map(tuple),
        "inline": st.none() | st.binary(max_size=40),
        "chunks": st.lists(chunk_references, max_size=4).map(tuple) | st.just(an_update().chunks),
        "created_ms": longs,
    }
    chosen = draw(st.lists(st.sampled_from(sorted(fields)), max_size=4, unique=True))
    return an_update(**{name: draw(fields[name]) for name in chosen})


def check_verdict(verdict: Verdict, raw: bytes) -> None:
    """A verdict can always be written, and is about these bytes."""
    assert decode(encode(verdict), Verdict) == verdict
    assert verdict.record_sha256 == sha256(raw).digest()
    assert (verdict.decision is Decision.ACCEPT) == (verdict.reason is Reason.ACCEPTED)
    assert len(encode(verdict)) < 2048


def check_judged(raw: bytes, world: World, **judging: Any) -> gate.Judgement:
    """One judgement, the same again, final where that is asked for; `judge` checks that the views did not change."""
    judgement = judge(raw, world, **judging)
    assert judgement == judge(raw, world, **judging)
    assert not isinstance(judgement, gate.Parked)
    if isinstance(judgement, gate.Refused):
        check_verdict(judgement.verdict, raw)
        assert judgement.verdict.decision is not Decision.ACCEPT
        waiting = judge(raw, world, final=False, **judging)
        assert waiting == judgement or waiting == gate.Parked(verdict=judgement.verdict)
    return judgement


@given(st.binary(max_size=600))
def test_arbitrary_bytes_are_refused(raw: bytes) -> None:
    assert isinstance(check_judged(raw, a_world()), gate.Refused)


@given(st.binary(max_size=600))
def test_arbitrary_payloads_rightly_signed_are_refused(payload: bytes) -> None:
    assert isinstance(check_judged(sealed_bytes(payload), a_world()), gate.Refused)


@given(mutated(SEEDS))
def test_a_changed_envelope_is_refused_unless_it_is_the_same(raw: bytes) -> None:
    judgement = check_judged(raw, a_world())
    assert isinstance(judgement, gate.NeedsEvidence) == (raw == SEEDS[0])


@given(mutated(tuple(encode(one) for one in (an_update(), an_inline_update()))))
def test_a_changed_payload_rightly_signed_gets_one_judgement(payload: bytes) -> None:
    check_judged(sealed_bytes(payload), a_world())


@given(hostile_updates(), st.none() | st.binary(max_size=8), st.integers(1_000, 9_000))
def test_whatever_an_enrolled_participant_signs_gets_one_judgement_and_one_verdict(
    update: ModelUpdate, key: bytes | None, at_ms: int
) -> None:
    raw = sealed(update)
    for source in (a_source(timestamp_ms=at_ms), a_source(key=key, timestamp_ms=at_ms)):
        judgement = check_judged(raw, a_world(), source=source)
        if isinstance(judgement, gate.NeedsEvidence):
            verdict, accepted = conclude(judgement, None)
            check_verdict(verdict, raw)
            assert accepted is None


@given(st.binary(min_size=36, max_size=36) | st.binary(min_size=9, max_size=9), st.lists(st.floats(0, 1, width=32)))
def test_whatever_an_inline_delta_holds_gets_one_verdict_and_only_what_is_in_bounds_is_accepted(
    delta: bytes, scales: list[float]
) -> None:
    name = "float32" if len(delta) == 36 else "int8"
    update = replace(an_inline_update(name=name), inline=delta)
    if name == "int8":
        update = replace(update, scales=tuple([*scales, 0.0, 0.0][:2]))
    judgement = check_judged(sealed(update), a_world(inline_round()))
    if isinstance(judgement, gate.Refused):
        assert judgement.verdict.reason is Reason.MAGNITUDE_EXCEEDED
        return
    assert isinstance(judgement, gate.NeedsEvidence)
    verdict, accepted = conclude(judgement, ())
    check_verdict(verdict, sealed(update))
    if name == "float32":
        elements = [float(one) for one in struct.unpack("<9f", delta)]
        finite = all(map(isfinite, elements))
        allowed = finite and max(map(abs, elements)) <= 10 and sqrt(fsum(one * one for one in elements)) <= 20
        assert (accepted is not None) == allowed


@given(st.integers(0, 2), st.data())
def test_whatever_a_chunk_holds_gets_one_verdict(index: int, data: st.DataObject) -> None:
    chunks, _ = chunks_of()
    chunks[index] = data.draw(
        st.binary(max_size=20) | st.binary(min_size=len(chunks[index]), max_size=len(chunks[index]))
    )
    raw = sealed(an_update())
    judgement = judge(raw, a_world())
    assert isinstance(judgement, gate.NeedsEvidence)
    verdict, accepted = conclude(judgement, chunks)
    check_verdict(verdict, raw)
    assert (accepted is not None) == (chunks == chunks_of()[0])


@given(st.lists(st.sampled_from(["good", "again", "other", "forged", "garbage", "stale", "nan"]), max_size=8))
@examples(50)
def test_the_bad_records_of_a_history_leave_no_trace(history: list[str]) -> None:
    """Invariant I8: what is accepted, and what is remembered, are the same without the records that were refused."""
    good = sealed(an_update())
    chunks = chunks_of()[0]
    broken = chunks_of(np.where(DELTA == 3.0, np.float32(np.nan), DELTA))[0]
    raws = {
        "good": (good, chunks),
        "again": (good, chunks),
        "other": (sealed(an_update(weight=11, update_id="update-2")), chunks),
        "forged": (seal(an_update(), KEY, "bob"), chunks),
        "garbage": (good[:-3], chunks),
        "stale": (sealed(an_update(round=1)), chunks),
        "nan": (sealed(an_update(chunks=references(broken))), broken),
    }

    def run(names_: list[str]) -> tuple[World, list[str]]:
        world, accepted_names = a_world(), []
        for name in names_:
            raw, content = raws[name]
            judgement = judge(raw, world)
            if isinstance(judgement, gate.NeedsEvidence):
                before = world.snapshot()
                _, accepted = conclude(judgement, content)
                assert world == before
                if accepted is not None:
                    world.remember(raw, judgement.update)
                    accepted_names.append(name)
        return world, accepted_names

    world, accepted_names = run(history)
    assert len(accepted_names) <= 1
    assert run(accepted_names) == (world, accepted_names)


@given(st.binary(max_size=400) | mutated((REQUEST,)))
def test_whatever_the_bytes_an_enrolment_gets_one_judgement(raw: bytes) -> None:
    world = replace(a_world(), participants={})
    before = world.snapshot()
    judgement = judge_enrolment(raw, a_source(), registry=world, claims=TokenClaims())
    assert world == before
    assert isinstance(judgement, gate.Refused | gate.Parked | Enrolled)
    check_verdict(judgement.verdict, raw)
    assert not isinstance(judgement, Enrolled)


@given(st.sampled_from(list(RoundStatus)), st.integers(1, 5), st.integers(1, 4), st.booleans())
def test_only_the_open_attempt_needs_content(status: RoundStatus, number: int, attempt: int, final: bool) -> None:
    world = a_world(a_round(status=status, round=number, attempt=attempt))
    judgement = judge(SEEDS[0], world, final=final)
    open_now = status is RoundStatus.OPEN and (number, attempt) == (3, 2)
    assert isinstance(judgement, gate.NeedsEvidence) == open_now
    if isinstance(judgement, gate.Parked):
        assert not final
        assert (number, attempt) < (3, 2) or status is RoundStatus.PAUSED
