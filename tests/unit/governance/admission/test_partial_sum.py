"""Partial sums of regions: held to what the updates in them are held to."""

from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np
import pytest

from fluvial.admission.manifest import check_manifest
from fluvial.encoding.chunks import split
from fluvial.encoding.partial_sum import largest_element, scale_of
from fluvial.wire.records import AcceptedUpdate, ModelUpdate, Reason, Round, Verdict
from governance.admission import gate
from models.aggregation.fixed_point import ChunkSum
from tests.unit.governance.admission.builders import (
    DELTA,
    POLICY,
    a_round,
    a_world,
    an_update,
    conclude,
    inline_round,
    judge,
    references,
    sealed,
)

WEIGHT = 7


def sum_round(**changes: Any) -> Round:
    return a_round(**{"encodings": ("float32", "partial_sum"), **changes})


def a_sum(round_: Round, delta: Any = DELTA, weight: int = WEIGHT) -> Any:
    """The sum int64[9] of a region that had this delta with this weight."""
    total = ChunkSum(9, round_.fraction_bits)
    total.add(np.asarray(delta, np.float32), weight)
    return total.values


def update_of(values: Any, round_: Round, **changes: Any) -> tuple[ModelUpdate, list[bytes]]:
    weight = changes.pop("weight", WEIGHT)
    chunks = [bytes(chunk) for chunk in split(values.astype("<i8").tobytes(), round_.chunk_elements * 8)]
    fields = {"chunks": references(chunks), "scales": (scale_of(weight, round_.fraction_bits),), **changes}
    return an_update(round_, encoding="partial_sum", weight=weight, **fields), chunks


def judged(values: Any, round_: Round, **changes: Any) -> tuple[Verdict, AcceptedUpdate | None]:
    update, chunks = update_of(values, round_, **changes)
    needs = judge(sealed(update), a_world(round_))
    assert isinstance(needs, gate.NeedsEvidence), needs
    return conclude(needs, chunks)


def manifest_fault(round_: Round, **changes: Any) -> Reason | None:
    fault = check_manifest(update_of(a_sum(round_), round_, **changes)[0], round_, POLICY)
    return fault.reason if fault else None


def test_a_sum_is_measured_as_its_mean_and_goes_on_as_it_is() -> None:
    verdict, accepted = judged(a_sum(sum_round()), sum_round())
    assert verdict.reason is Reason.ACCEPTED
    assert verdict.max_abs == 3.0
    assert verdict.norm == pytest.approx(float(np.linalg.norm(DELTA)), rel=1e-6)
    assert accepted is not None
    assert (accepted.encoding, accepted.weight, accepted.scales) == ("partial_sum", WEIGHT, (WEIGHT * 2.0**30,))


def test_a_small_sum_travels_inline() -> None:
    round_ = inline_round(encodings=("partial_sum",))
    update = replace(update_of(a_sum(round_), round_)[0], inline=a_sum(round_).astype("<i8").tobytes(), chunks=())
    needs = judge(sealed(update), a_world(round_))
    assert isinstance(needs, gate.NeedsEvidence)
    assert conclude(needs, ())[0].reason is Reason.ACCEPTED


def test_a_round_that_does_not_ask_for_sums_takes_none() -> None:
    assert manifest_fault(a_round()) is Reason.ENCODING


@pytest.mark.parametrize("scales", [(), (1.0,), (WEIGHT * 2.0**29,), (WEIGHT * 2.0**30,) * 2, (float("nan"),)])
def test_the_scale_is_what_weight_and_fraction_bits_make_it(scales: tuple[float, ...]) -> None:
    assert manifest_fault(sum_round(), scales=scales) is Reason.ENCODING


@pytest.mark.parametrize("weight", [1, 100])
def test_any_weight_within_the_limit_has_its_scale(weight: int) -> None:
    assert manifest_fault(sum_round(), weight=weight) is None


def test_a_weight_beyond_the_limit_or_beyond_float64_is_refused() -> None:
    assert manifest_fault(sum_round(), weight=101) is Reason.WEIGHT
    huge = sum_round(max_weight=2**60)
    assert manifest_fault(huge, weight=2**53 - 1) is None
    update, _ = update_of(a_sum(huge), huge)
    fault = check_manifest(replace(update, weight=2**53), huge, POLICY)
    assert fault is not None
    assert fault.reason is Reason.WEIGHT


@pytest.mark.parametrize("change", ["halved", "missing", "longer"])
def test_a_sum_has_eight_bytes_an_element(change: str) -> None:
    round_ = sum_round()
    chunks = [bytes(chunk) for chunk in split(a_sum(round_).astype("<i8").tobytes(), 4 * 8)]
    other = {"halved": [chunk[: len(chunk) // 2] for chunk in chunks], "missing": chunks[:2]}
    wrong = other.get(change, [*chunks[:2], chunks[2] + bytes(8)])
    assert manifest_fault(round_, chunks=references(wrong)) is Reason.MANIFEST_MISMATCH


@pytest.mark.parametrize("index", [0, 4, 8])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("max_abs", "fraction_bits"), [(10.0, 30), (0.1, 30), (2.0**50, 0)])
def test_an_integer_beyond_what_the_weight_can_add_up_to_is_refused(
    index: int, sign: int, max_abs: float, fraction_bits: int
) -> None:
    round_ = sum_round(max_abs=max_abs, max_norm=0.0, fraction_bits=fraction_bits)
    bound = WEIGHT * largest_element(round_.max_abs, round_.fraction_bits)
    values = np.zeros(9, np.int64)
    values[index] = sign * bound
    assert judged(values, round_)[0].reason is Reason.ACCEPTED
    values[index] = sign * (bound + 1)
    verdict, accepted = judged(values, round_)
    assert (verdict.reason, accepted) == (Reason.MAGNITUDE_EXCEEDED, None)


def test_the_smallest_int64_has_no_opposite_and_is_refused() -> None:
    values = np.zeros(9, np.int64)
    values[3] = -(2**63)
    assert judged(values, sum_round())[0].reason is Reason.MAGNITUDE_EXCEEDED


def test_the_norm_of_the_mean_is_limited_and_rounding_is_forgiven() -> None:
    norm = sqrt(float(np.sum(DELTA.astype(np.float64) ** 2)))
    assert judged(a_sum(sum_round()), sum_round(max_norm=norm))[0].reason is Reason.ACCEPTED
    # Coarse fixed point moves the mean further than float64's last bit.
    coarse = sum_round(fraction_bits=3, max_norm=float(np.linalg.norm(np.full(9, 0.07, np.float32))))
    assert judged(a_sum(coarse, np.full(9, 0.07)), coarse)[0].reason is Reason.ACCEPTED
    verdict, accepted = judged(a_sum(sum_round()), sum_round(max_norm=norm * 0.999))
    assert (verdict.reason, accepted) == (Reason.NORM_EXCEEDED, None)


def test_an_update_of_float32_has_no_more_slack_in_such_a_round() -> None:
    round_ = sum_round(max_norm=float(np.linalg.norm(DELTA.astype(np.float64))) / (1 + 3e-7))
    chunks = [bytes(chunk) for chunk in split(DELTA.tobytes(), 4 * 4)]
    needs = judge(sealed(an_update(round_)), a_world(round_))
    assert isinstance(needs, gate.NeedsEvidence)
    assert conclude(needs, chunks)[0].reason is Reason.NORM_EXCEEDED
