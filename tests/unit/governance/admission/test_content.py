"""The content of an update: chunk digests, numbers, and the verdict with what was measured."""

import struct
from dataclasses import replace
from itertools import permutations, product
from math import sqrt
from typing import Any

import numpy as np
import pytest

from fluvial.encoding import ENCODINGS, Span, encoder
from fluvial.encoding.fitting import norm_of
from fluvial.wire.records import Decision, ModelUpdate, Reason, Round, Score
from governance.admission import gate
from governance.admission.content import ContentInspector, inspect_inline, numbers_of
from governance.admission.evidence import Finding
from tests.unit.governance.admission.builders import (
    DELTA,
    POLICY,
    a_round,
    a_world,
    an_inline_update,
    an_update,
    chunks_of,
    conclude,
    inline_round,
    judge,
    references,
    sealed,
)


def needs_of(update: ModelUpdate, round_: Round | None = None) -> gate.NeedsEvidence:
    judgement = judge(sealed(update), a_world(round_ or a_round()))
    assert isinstance(judgement, gate.NeedsEvidence)
    return judgement


def judged(delta: Any, name: str = "float32", round_: Round | None = None) -> Any:
    chunks, scales = chunks_of(delta, name)
    update = an_update(chunks=references(chunks), encoding=name, scales=scales)
    return conclude(needs_of(update, round_), chunks)


def changed(index: int, value: float) -> Any:
    delta = DELTA.copy()
    delta[index] = value
    return delta


def test_an_accepted_update_goes_on_by_reference_and_its_verdict_has_its_measures() -> None:
    verdict, accepted = judged(DELTA)
    assert (verdict.decision, verdict.reason) == (Decision.ACCEPT, Reason.ACCEPTED)
    assert verdict.max_abs == 3.0
    assert verdict.norm == sqrt(float(np.sum(DELTA.astype(np.float64) ** 2)))
    assert accepted is not None
    assert (accepted.task, accepted.round, accepted.attempt, accepted.participant) == ("demo", 3, 2, "alice")
    assert (accepted.source_partition, accepted.source_offset, accepted.source_timestamp_ms) == (1, 42, 5_000)
    assert accepted.record_sha256 == verdict.record_sha256
    assert (accepted.weight, accepted.encoding, accepted.scales) == (10, "float32", ())
    assert accepted.chunks == an_update().chunks
    assert accepted.inline is None


@pytest.mark.parametrize("name", ENCODINGS)
def test_an_inline_update_is_accepted_in_every_encoding(name: str) -> None:
    update = an_inline_update(name=name)
    verdict, accepted = conclude(needs_of(update, inline_round()), ())
    assert verdict.reason is Reason.ACCEPTED
    assert accepted is not None
    assert (accepted.inline, accepted.scales) == (update.inline, update.scales)


def test_int8_is_measured_as_the_numbers_that_it_stands_for() -> None:
    verdict, accepted = judged(DELTA, "int8")
    assert accepted is not None
    assert verdict.max_abs == pytest.approx(3.0, rel=1e-6)
    assert verdict.norm == pytest.approx(float(np.linalg.norm(DELTA)), rel=0.01)


def test_zeros_are_legal() -> None:
    for name in ENCODINGS:
        verdict, accepted = judged(np.zeros(9, np.float32), name)
        assert accepted is not None
        assert (verdict.norm, verdict.max_abs) == (0.0, 0.0)


@pytest.mark.parametrize("index", [0, 4, 8])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_not_finite_refuses_the_update(index: int, value: float) -> None:
    verdict, accepted = judged(changed(index, value))
    assert accepted is None
    assert (verdict.decision, verdict.reason) == (Decision.REJECT, Reason.NON_FINITE)
    assert (verdict.norm, verdict.max_abs) == (0.0, 0.0)


@pytest.mark.parametrize("bits", [0x7F810000, 0xFF800001])
def test_a_signalling_nan_refuses_the_update_and_raises_nothing(bits: int) -> None:
    update = replace(an_inline_update(), inline=bytes(32) + bits.to_bytes(4, "little"))
    with np.errstate(all="raise"):
        verdict, accepted = conclude(needs_of(update, inline_round()), ())
    assert accepted is None
    assert verdict.reason is Reason.NON_FINITE


@pytest.mark.parametrize("sign", [1, -1])
def test_an_element_beyond_max_abs_refuses_the_update(sign: int) -> None:
    beyond = float(np.nextafter(np.float32(10), np.float32(11)))
    assert judged(changed(5, sign * 10.0))[0].reason is Reason.ACCEPTED
    verdict, accepted = judged(changed(5, sign * beyond))
    assert accepted is None
    assert verdict.reason is Reason.MAGNITUDE_EXCEEDED
    assert verdict.max_abs == beyond


def test_a_norm_beyond_the_limit_refuses_the_update_and_zero_is_no_limit() -> None:
    norm = sqrt(float(np.sum(DELTA.astype(np.float64) ** 2)))
    assert judged(DELTA, round_=a_round(max_norm=norm))[0].reason is Reason.ACCEPTED
    assert judged(DELTA, round_=a_round(max_norm=0.0))[0].reason is Reason.ACCEPTED
    verdict, accepted = judged(DELTA, round_=a_round(max_norm=norm / (1 + 3e-7)))
    assert accepted is None
    assert verdict.reason is Reason.NORM_EXCEEDED
    assert verdict.norm == norm


LIMITS = [0.1, 0.2, 0.3, 0.7, 1.1, 1e-3, 3.97, 0.994, 5.0, 127.0, 1017.0, 8170.0, 1e-30, 1e30]


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("max_abs", LIMITS)
def test_what_is_clipped_to_the_announced_limit_is_within_it(max_abs: float, name: str) -> None:
    """0.1 as a float32 is 0.10000000149; and 127 times a rounded scale may lie a unit in the last place higher."""
    round_ = a_round(max_abs=max_abs, max_norm=0.0)
    wide = np.linspace(-3 * max_abs, 3 * max_abs, 9).astype(np.float32)
    if max_abs > 1e5 and name in ("float16", "int4", "top_k"):
        pytest.skip("beyond float16")
    for clipped in (np.clip(wide, -max_abs, max_abs), np.clip(wide, -max_abs, max_abs).round(3)):
        verdict, accepted = judged(np.asarray(clipped, np.float32), name, round_)
        assert (verdict.reason, accepted is None) == (Reason.ACCEPTED, False)


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_limit_admits_what_is_clipped_to_it(name: str) -> None:
    random = np.random.default_rng(4)
    for max_abs in [*random.integers(1, 10**6, 50) / 1000, *np.exp(random.uniform(-60, 11, 50))]:
        clipped = np.full(9, max_abs).astype(np.float32)
        assert judged(clipped, name, a_round(max_abs=float(max_abs), max_norm=0.0))[0].reason is Reason.ACCEPTED


@pytest.mark.parametrize("name", ["float32", "int8"])
@pytest.mark.parametrize("max_abs", LIMITS)
def test_two_millionths_above_the_limit_are_refused(max_abs: float, name: str) -> None:
    above = np.full(9, max_abs * (1 + 2e-6)).astype(np.float32)
    chunks, scales = chunks_of(above, name)
    update = an_update(chunks=references(chunks), encoding=name, scales=scales)
    judgement = judge(sealed(update), a_world(a_round(max_abs=max_abs, max_norm=0.0)))
    if isinstance(judgement, gate.NeedsEvidence):
        verdict, _ = conclude(judgement, chunks)
    else:
        assert isinstance(judgement, gate.Refused)
        verdict = judgement.verdict
    assert verdict.reason is Reason.MAGNITUDE_EXCEEDED


@pytest.mark.parametrize("way", ["torch", "float32", "float64"])
def test_what_is_scaled_to_the_announced_norm_is_within_it(way: str) -> None:
    random = np.random.default_rng(5)
    for max_norm in (0.1, 0.3, 1.0, 2.5, 7.7):
        round_ = a_round(max_norm=max_norm)
        for _ in range(30):
            delta = random.normal(size=9).astype(np.float32)
            if way == "torch":
                norm = np.sqrt(np.sum(delta * delta, dtype=np.float32))
                scaled = delta * np.float32(np.float32(max_norm) / (norm + np.float32(1e-6)))
            elif way == "float32":
                scaled = delta * np.float32(max_norm) / np.linalg.norm(delta)
            else:
                scaled = (delta * (max_norm / np.linalg.norm(delta.astype(np.float64)))).astype(np.float32)
            assert judged(scaled, round_=round_)[0].reason is Reason.ACCEPTED
            above = (scaled * np.float64(1 + 2e-6)).astype(np.float32)
            if np.linalg.norm(above.astype(np.float64)) > max_norm * (1 + 1e-6):
                assert judged(above, round_=round_)[0].reason is Reason.NORM_EXCEEDED


def test_the_largest_float32_squares_to_a_finite_norm() -> None:
    largest = float(np.finfo(np.float32).max)
    verdict, accepted = judged(np.full(9, largest, np.float32), round_=a_round(max_abs=1e300, max_norm=0.0))
    assert accepted is not None
    assert verdict.norm == pytest.approx(3 * largest, rel=1e-6)


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("change", ["flipped", "cut", "longer", "empty"])
def test_a_chunk_that_is_not_the_one_signed_refuses_the_update(index: int, change: str) -> None:
    chunks, _ = chunks_of()
    chunk = chunks[index]
    other = {"flipped": bytes([chunk[0] ^ 1]) + chunk[1:], "cut": chunk[:-1], "longer": chunk + b"\0", "empty": b""}
    chunks[index] = other[change]
    verdict, accepted = conclude(needs_of(an_update()), chunks)
    assert accepted is None
    assert verdict.reason is Reason.CHUNK_MISMATCH


def test_a_chunk_that_cannot_be_read_or_was_not_handed_in_makes_the_update_incomplete() -> None:
    chunks, _ = chunks_of()
    for handed in (None, [], chunks[:2]):
        verdict, accepted = conclude(needs_of(an_update()), handed)
        assert accepted is None
        assert (verdict.reason, verdict.norm) == (Reason.INCOMPLETE, 0.0)


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_is_measured_as_the_numbers_that_it_stands_for(name: str) -> None:
    codec, round_ = encoder(name), a_round(max_norm=0.0)
    chunks, scales = chunks_of(DELTA, name, round_)
    decoded = [codec.decode(chunk, Span.of(round_, index), scales) for index, chunk in enumerate(chunks)]
    verdict, accepted = judged(DELTA, name, round_)
    assert accepted is not None
    assert accepted.encoding == name
    assert verdict.max_abs == float(np.abs(np.concatenate(decoded)).max())
    assert verdict.norm == norm_of(decoded)
    beyond = a_round(max_norm=verdict.norm / (1 + 3e-7))
    assert judged(DELTA, name, beyond)[0].reason is Reason.NORM_EXCEEDED
    small = a_round(max_abs=verdict.max_abs * 0.98, max_norm=0.0)
    if name != "int8":  # whose scale is refused before its content is looked at
        assert judged(DELTA, name, small)[0].reason is Reason.MAGNITUDE_EXCEEDED


@pytest.mark.parametrize(
    ("name", "chunk"),
    [
        ("float16", struct.pack("<4e", 1, 2, float("nan"), 0)),
        ("float16", struct.pack("<4H", 0, 0x7C01, 0, 0)),
        ("bfloat16", struct.pack("<4H", 0, 0x7F80, 0, 0)),
        ("bfloat16", struct.pack("<4H", 0, 0, 0xFF81, 0)),
    ],
)
def test_what_is_not_finite_in_a_short_float_refuses_the_update(name: str, chunk: bytes) -> None:
    chunks, scales = chunks_of(DELTA, name)
    chunks[0] = chunk
    update = an_update(chunks=references(chunks), encoding=name, scales=scales)
    with np.errstate(all="raise"):
        verdict, accepted = conclude(needs_of(update), chunks)
    assert (verdict.reason, accepted) == (Reason.NON_FINITE, None)


@pytest.mark.parametrize("chunk", ["003c8000", "007c0000", "00bc0000"])
def test_codes_and_scales_that_int4_does_not_use_refuse_the_update(chunk: str) -> None:
    chunks, scales = chunks_of(DELTA, "int4")
    chunks[1] = bytes.fromhex(chunk)
    update = an_update(chunks=references(chunks), encoding="int4", scales=scales)
    verdict, accepted = conclude(needs_of(update), chunks)
    assert (verdict.reason, accepted) == (Reason.ENCODING, None)


def test_a_code_that_int8_does_not_use_refuses_the_update() -> None:
    chunks, scales = chunks_of(name="int8")
    chunks[1] = b"\x80" + chunks[1][1:]
    update = an_update(chunks=references(chunks), encoding="int8", scales=scales)
    verdict, accepted = conclude(needs_of(update), chunks)
    assert accepted is None
    assert verdict.reason is Reason.ENCODING


def test_a_code_times_its_scale_beyond_float32_refuses_the_update() -> None:
    round_ = a_round(max_abs=1e300, max_norm=0.0)
    chunks = [bytes([127] * 4), bytes([127] * 4), bytes([127])]
    scales = (float(np.finfo(np.float32).max), 0.0)
    update = an_update(round_, chunks=references(chunks), encoding="int8", scales=scales)
    verdict, accepted = conclude(needs_of(update, round_), chunks)
    assert accepted is None
    assert verdict.reason is Reason.NON_FINITE


def test_the_order_in_which_chunks_are_read_does_not_change_a_bit() -> None:
    delta = np.random.default_rng(3).normal(size=9).astype(np.float32)
    chunks, _ = chunks_of(delta)
    update = an_update(chunks=references(chunks))
    findings = set()
    for order in permutations(range(3)):
        inspector = ContentInspector(update, a_round())
        for index in order:
            assert inspector.add(index, memoryview(chunks[index]))
        findings.add(inspector.result())
    assert len(findings) == 1


@pytest.mark.parametrize("faults", list(product(["good", "flipped", "nan", "large", "gone"], repeat=3)))
def test_of_several_faults_the_first_of_the_list_is_told_whichever_is_read_first(faults: tuple[str, ...]) -> None:
    chunks, _ = chunks_of()
    signed = list(chunks)
    for index, fault in enumerate(faults):
        if fault in ("nan", "large"):
            value = {"nan": np.nan, "large": 11.0}[fault]
            signed[index] = np.full(len(chunks[index]) // 4, value, np.float32).tobytes()
    read = [b"x" + chunk[1:] if fault == "flipped" else chunk for chunk, fault in zip(signed, faults, strict=True)]
    findings = set()
    for order in permutations(range(3)):
        inspector = ContentInspector(an_update(chunks=references(signed)), a_round())
        for index in order:
            if not inspector.wants(index):
                continue
            if faults[index] == "gone":
                inspector.unavailable(index)
            else:
                assert inspector.add(index, read[index]) == (faults[index] == "good")
        findings.add(inspector.result())
    (finding,) = findings
    expected = {"flipped": "CHUNK_MISMATCH", "nan": "NON_FINITE", "large": "MAGNITUDE_EXCEEDED", "gone": "INCOMPLETE"}
    first = next((fault for fault in faults if fault != "good"), None)
    assert finding.fault == (Reason(expected[first]) if first else None)


def test_after_a_fault_nothing_behind_it_is_wanted() -> None:
    chunks, _ = chunks_of()
    inspector = ContentInspector(an_update(), a_round())
    assert inspector.wants(2)
    assert not inspector.add(1, chunks[0])
    assert [inspector.wants(index) for index in range(3)] == [True, False, False]
    inspector.unavailable(2)
    assert inspector.add(0, chunks[0])
    assert inspector.result().fault is Reason.CHUNK_MISMATCH


def test_a_fault_is_not_told_while_a_chunk_before_it_is_missing() -> None:
    inspector = ContentInspector(an_update(), a_round())
    inspector.add(2, b"")
    assert inspector.result().fault is Reason.INCOMPLETE


def test_a_chunk_that_the_update_does_not_list_is_the_callers_mistake() -> None:
    with pytest.raises(IndexError):
        ContentInspector(an_update(), a_round()).add(3, b"")


def test_the_first_finding_against_a_record_gives_the_reason_and_all_measures_stand() -> None:
    needs = needs_of(an_update())
    content = gate.Finding(norm=2.0, max_abs=1.0)
    score = gate.Finding(fault=Reason.NORM_EXCEEDED, scores=(Score(name="loss", value=0.5),))
    verdict, accepted = gate.conclude(needs, [content, score], POLICY)
    assert (verdict.decision, verdict.reason, verdict.norm) == (Decision.REJECT, Reason.NORM_EXCEEDED, 2.0)
    assert verdict.scores == (Score(name="loss", value=0.5),)
    assert accepted is None
    held = replace(POLICY, quarantined=frozenset({Reason.NORM_EXCEEDED}))
    assert gate.conclude(needs, [content, score], held)[0].decision is Decision.QUARANTINE
    assert gate.conclude(needs, [content], POLICY)[1] is not None


def test_the_verdict_of_what_was_checked_keeps_all_that_was_judged_before() -> None:
    needs = needs_of(an_update())
    update, source = needs.update, needs.source
    verdict, _ = gate.conclude(needs, [Finding(norm=2.5, max_abs=0.5)], POLICY)
    assert (verdict.source_topic, verdict.source_partition, verdict.source_offset) == source.place
    assert (verdict.source_timestamp_ms, verdict.record_sha256) == (source.timestamp_ms, needs.record_sha256)
    said = (update.participant, update.task, update.round, update.attempt, update.update_id)
    assert said == (verdict.participant, verdict.task, verdict.round, verdict.attempt, verdict.update_id)
    assert (verdict.reason, verdict.norm, verdict.max_abs, verdict.scores) == (Reason.ACCEPTED, 2.5, 0.5, ())


INLINE_DELTAS = [
    DELTA,
    np.zeros(9, np.float32),
    np.full(9, -0.0, np.float32),
    changed(4, np.nan),
    changed(4, -np.inf),
    changed(0, 11.0),
    np.full(9, np.finfo(np.float32).max, np.float32),
]


@pytest.mark.parametrize("max_norm", [0.0, 3.0])
def test_small_deltas_that_are_looked_at_together_are_found_what_each_is_by_itself(max_norm: float) -> None:
    round_ = inline_round(max_norm=max_norm)
    sent = an_inline_update()
    updates = [replace(sent, inline=delta.tobytes()) for delta in INLINE_DELTAS]
    numbers = numbers_of(updates)
    assert list(numbers) == list(range(len(updates)))
    with np.errstate(all="raise"):
        together = [inspect_inline(update, round_, numbers[place]) for place, update in enumerate(updates)]
    assert together == [inspect_inline(update, round_) for update in updates]
    assert len({finding.fault for finding in together}) > 2


def test_of_other_encodings_and_lengths_nothing_is_known_beforehand() -> None:
    sent = an_inline_update()
    codes = replace(sent, encoding="int8")
    odd, none, large = (replace(sent, inline=bytes(size)) for size in (7, 0, 8192))
    assert numbers_of([an_update(), codes, odd, none, large]) == {}
    assert numbers_of([]) == {}
