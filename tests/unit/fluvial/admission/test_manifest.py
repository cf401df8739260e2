"""The manifest of an update against its round."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fluvial.admission.manifest import check_manifest
from fluvial.wire.records import ChunkReference, ModelUpdate, Reason, Round
from tests.unit.governance.admission.builders import (
    DELTA,
    POLICY,
    a_round,
    an_inline_update,
    an_update,
    chunks_of,
    inline_round,
    references,
)

MISMATCH = Reason.MANIFEST_MISMATCH


def reason(update: ModelUpdate, round_: Round | None = None) -> Reason | None:
    fault = check_manifest(update, round_ or a_round(), POLICY)
    assert fault is None or not fault.waits
    return fault.reason if fault else None


def an_int8_update(delta: Any = DELTA, **changes: Any) -> ModelUpdate:
    chunks, scales = chunks_of(delta, "int8")
    return an_update(encoding="int8", chunks=references(chunks), **{"scales": scales, **changes})


def test_updates_that_fit_pass_in_both_encodings_and_inline() -> None:
    assert reason(an_update()) is None
    assert reason(an_int8_update()) is None
    assert reason(an_inline_update(), inline_round()) is None
    assert reason(an_inline_update(name="int8"), inline_round()) is None


@pytest.mark.parametrize("weight", [0, -1, 101, 1 << 62])
def test_a_weight_outside_the_rounds_range_is_refused(weight: int) -> None:
    assert reason(an_update(weight=weight)) is Reason.WEIGHT


@pytest.mark.parametrize("weight", [1, 100])
def test_the_ends_of_the_range_are_allowed(weight: int) -> None:
    assert reason(an_update(weight=weight)) is None


@pytest.mark.parametrize(("weight", "expected"), [(49, Reason.WEIGHT), (50, None), (100, None), (101, Reason.WEIGHT)])
def test_a_round_may_ask_for_more_examples(weight: int, expected: Reason | None) -> None:
    asking = a_round(terms='{"participation":{"min_examples":50}}')
    assert reason(an_update(weight=weight), asking) is expected


@pytest.mark.parametrize(
    "changes",
    [
        {"partition": 0},
        {"partition": -1},
        {"offset": -1},
        {"length": 15},
        {"length": 17},
        {"length": -16},
        {"sha256": bytes(31)},
        {"sha256": b""},
    ],
)
def test_every_field_of_every_chunk_reference_counts(changes: dict[str, Any]) -> None:
    chunks = an_update().chunks
    for index, chunk in enumerate(chunks):
        changed = replace(chunk, **changes)
        if changed != chunk:
            assert reason(an_update(chunks=(*chunks[:index], changed, *chunks[index + 1 :]))) is MISMATCH


def test_gaps_repeats_and_other_orders_are_refused() -> None:
    first, second, last = an_update().chunks
    lists: list[tuple[ChunkReference, ...]] = [
        (),
        (first,),
        (first, second),
        (first, second, last, last),
        (second, first, last),
        (first, first, last),
        (first, last, second),
    ]
    for chunks in lists:
        assert reason(an_update(chunks=chunks)) is MISMATCH


def test_the_same_place_may_not_be_used_twice_when_partitions_come_round_again() -> None:
    """chunk 0 ─ partition p, chunk 4 ─ partition p again: four partitions, five chunks of two elements."""
    round_ = a_round(chunk_elements=2)
    update = an_update(round_)
    first, fifth = update.chunks[0], update.chunks[4]
    assert first.partition == fifth.partition
    chunks = (*update.chunks[:4], replace(fifth, offset=first.offset))
    assert reason(update, round_) is None
    assert reason(replace(update, chunks=chunks), round_) is MISMATCH


@pytest.mark.parametrize("inline", [b"", bytes(35), bytes(37), bytes(4)])
def test_an_inline_delta_has_exactly_the_models_bytes(inline: bytes) -> None:
    assert reason(replace(an_inline_update(), inline=inline), inline_round()) is MISMATCH


def test_inline_is_for_models_of_one_chunk_and_excludes_chunks() -> None:
    assert reason(an_update(inline=bytes(36), chunks=())) is MISMATCH
    both = replace(an_inline_update(), chunks=references([bytes(36)]))
    assert reason(both, inline_round()) is MISMATCH


def test_an_encoding_that_the_round_does_not_take_is_refused() -> None:
    assert reason(an_int8_update(), a_round(encodings=("float32",))) is Reason.ENCODING
    assert reason(an_update(encoding="float64"), a_round(encodings=("float64",))) is Reason.ENCODING


@pytest.mark.parametrize(
    "scales",
    [(), (0.01,), (0.01, 0.01, 0.01), (0.1, 0.0), (float("nan"), 0.0), (float("inf"), 0.0), (-0.5, 0.0), (1e300, 0.0)],
)
def test_scales_are_one_finite_non_negative_float32_a_tensor(scales: tuple[float, ...]) -> None:
    assert reason(an_int8_update(scales=scales)) is Reason.ENCODING


def test_float32_has_no_scales() -> None:
    assert reason(an_update(scales=(1.0,))) is Reason.ENCODING


def test_a_scale_beyond_max_abs_is_refused_before_it_can_overflow_the_exact_sum() -> None:
    largest = float(np.float32(10.0 / 127))
    beyond = float(np.nextafter(np.float32(largest), np.float32(1.0)))
    assert reason(an_int8_update(scales=(largest, 0.0))) is None
    assert reason(an_int8_update(scales=(0.0, beyond))) is Reason.MAGNITUDE_EXCEEDED


def test_what_the_encoder_makes_of_the_largest_values_allowed_passes() -> None:
    delta = np.full(9, -10.0, np.float32)
    assert reason(an_int8_update(delta)) is None


def test_limits_beyond_float32_do_not_trouble_the_check() -> None:
    assert reason(an_int8_update(), a_round(max_abs=1e300)) is None
