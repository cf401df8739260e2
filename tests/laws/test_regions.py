"""Laws of hierarchical aggregation: however participants are grouped in regions, and regions in regions, the model has
the bits of the flat federation; and a region is held to what its participants are held to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluvial import encoding
from fluvial.encoding import Span
from fluvial.encoding.partial_sum import is_within, largest_element, scale_of
from fluvial.wire.layout import chunk_partition
from fluvial.wire.records import AcceptedUpdate, ModelUpdate, Reason, Round, TensorLayout
from governance.admission.content import inspect_inline
from models.aggregation.contribution import add_chunk
from models.aggregation.fixed_point import ChunkSum, finish, fraction_bits
from pipelines.aggregation.rule import selection
from tests.laws.effort import examples
from tests.unit.governance.admission import builders as admission
from tests.unit.pipelines.aggregation.builders import an_update
from tests.unit.pipelines.aggregation.shards.shard_world import ShardWorld

LAYOUT = (TensorLayout(name="weight", shape=(2, 3)), TensorLayout(name="bias", shape=(3,)))
SIZE, MAX_WEIGHT = 9, 50
WHOLE = Span(LAYOUT, 0, SIZE)
BASE = np.linspace(-1.0, 1.0, SIZE, dtype=np.float32)
Leaf = tuple[npt.NDArray[np.float32], int, str]
Tree = Sequence[Any]


@dataclass(frozen=True)
class Encoded:
    """An update as it travels."""

    raw: bytes
    scales: tuple[float, ...]
    weight: int
    encoding: str


def encoded(leaf: Leaf) -> Encoded:
    delta, weight, name = leaf
    whole = encoding.encoder(name).encode(delta, LAYOUT, SIZE)
    return Encoded(bytes(whole.chunks[0]), whole.scales, weight, name)


def aggregate(updates: Sequence[Encoded], bits: int) -> ChunkSum:
    """The exact sum of a round, as a weighted mean takes updates in."""
    total = ChunkSum(SIZE, bits)
    for update in updates:
        add_chunk(
            total,
            update.raw,
            encoding=update.encoding,
            span=WHOLE,
            scales=update.scales,
            weight=update.weight,
        )
    return total


def region(updates: Sequence[Encoded], bits: int) -> Encoded:
    """What a region of these sends up."""
    total = aggregate(updates, bits)
    raw = total.values.astype("<i8").tobytes()
    weight = sum(update.weight for update in updates)
    return Encoded(raw, (scale_of(weight, bits),), weight, "partial_sum")


@st.composite
def leaves(draw: st.DrawFn, max_abs: float) -> list[Leaf]:
    bound = float(np.nextafter(np.float32(max_abs), np.float32(0)))
    numbers = st.floats(-bound, bound, width=32)
    one = st.tuples(
        st.lists(numbers, min_size=SIZE, max_size=SIZE).map(lambda values: np.array(values, np.float32)),
        st.integers(1, MAX_WEIGHT),
        st.sampled_from([*encoding.ENCODINGS]),
    )
    return draw(st.lists(one, min_size=1, max_size=8))


def grouped(leaves: Sequence[Any], data: st.DataObject, depth: int) -> list[Any]:
    """The leaves, in any order, in groups, which may hold groups."""
    order = data.draw(st.permutations(range(len(leaves))))
    places = [data.draw(st.integers(0, 3)) for _ in leaves]
    groups = [[leaves[index] for index in order if places[index] == place] for place in sorted(set(places))]
    if depth == 0:
        return groups
    return [grouped(group, data, depth - 1) if data.draw(st.booleans()) else group for group in groups]


def sent_up(tree: Any, bits: int) -> Encoded:
    """A leaf's update, or that of the region that the group is."""
    return encoded(tree) if isinstance(tree, tuple) else region([sent_up(each, bits) for each in tree], bits)


@given(data=st.data(), max_abs=st.sampled_from([0.25, 1.0, 10.0, 1e-6]), depth=st.integers(0, 2))
def test_any_grouping_has_the_bits_of_the_flat_federation(data: st.DataObject, max_abs: float, depth: int) -> None:
    chosen = data.draw(leaves(max_abs))
    bits = fraction_bits(8, MAX_WEIGHT, max_abs)
    flat = aggregate([encoded(leaf) for leaf in chosen], bits)
    tree = grouped(chosen, data, depth)
    above = aggregate([sent_up(each, bits) for each in tree], bits)
    assert above.values.tobytes() == flat.values.tobytes()
    weight = sum(weight for _, weight, _ in chosen)
    assert sum(sent_up(each, bits).weight for each in tree) == weight
    models = [finish(BASE, total.values, weight, bits) for total in (above, flat)]
    assert models[0].tobytes() == models[1].tobytes()


@given(data=st.data(), max_abs=st.sampled_from([0.1, 1.0, 10.0, 1e-6]), spare_bits=st.integers(0, 40))
def test_the_gate_takes_every_region_of_admissible_updates(
    data: st.DataObject, max_abs: float, spare_bits: int
) -> None:
    """Whatever the precision: rounding must not turn honest participants into a region that is refused."""
    chosen = data.draw(leaves(max_abs))
    bits = max(0, fraction_bits(8, MAX_WEIGHT, max_abs) - spare_bits)
    norms = []
    for leaf in chosen:
        one = encoded(leaf)
        decoded = encoding.get(one.encoding).decode(one.raw, WHOLE, one.scales)
        norms.append(float(np.linalg.norm(decoded.astype(np.float64))))
    round_ = admission.inline_round(
        max_abs=max_abs,
        max_norm=max(norms) or 1.0,
        max_weight=8 * MAX_WEIGHT,
        fraction_bits=bits,
        encodings=("partial_sum",),
    )
    assert inspected(sent_up(chosen, bits), round_) is None


@examples(25)
@given(
    data=st.data(),
    index=st.integers(0, SIZE - 1),
    excess=st.integers(1, 2**40),
    sign=st.sampled_from([1, -1]),
)
def test_the_gate_refuses_a_sum_that_no_admissible_updates_have(
    data: st.DataObject, index: int, excess: int, sign: int
) -> None:
    chosen = data.draw(leaves(1.0))
    bits = fraction_bits(8, MAX_WEIGHT, 1.0)
    honest = sent_up(chosen, bits)
    values = np.frombuffer(honest.raw, "<i8").copy()
    bound = honest.weight * largest_element(1.0, bits)
    values[index] = sign * (bound + excess)
    round_ = admission.inline_round(max_abs=1.0, max_norm=0.0, fraction_bits=bits, encodings=("partial_sum",))
    assert not is_within(values.tobytes(), bound)
    assert inspected(replace(honest, raw=values.tobytes()), round_) is Reason.MAGNITUDE_EXCEEDED


def inspected(update: Encoded, round_: Round) -> Reason | None:
    sent: ModelUpdate = admission.an_update(
        round_, inline=update.raw, chunks=(), encoding=update.encoding, scales=update.scales, weight=update.weight
    )
    return inspect_inline(sent, round_).fault


NUM_LEAVES, ELEMENTS, CHUNK = 6, 22, 4
MEANS = {"weighted": ("weighted_mean", "weighted_mean"), "unweighted": ("unweighted_mean", "weighted_mean")}


def federation(numbers: Sequence[int], num_shards: int, rule: str, *, partial: bool = False) -> ShardWorld:
    """A federation of these participants of six."""
    generator = np.random.default_rng(7)
    deltas = [generator.normal(size=ELEMENTS).astype(np.float32) for _ in range(NUM_LEAVES)]
    encodings = ["float32", "int8", "int4", "float16", "top_k", "bfloat16"]
    return ShardWorld(
        [deltas[number] for number in numbers],
        chunk_elements=CHUNK,
        num_shards=num_shards,
        encodings=[encodings[number] for number in numbers],
        weights=[1 + 2 * number for number in numbers],
        rule=json.dumps({"name": rule}),
        partial=partial,
    )


def update_of(number: int, below: ShardWorld, above: ShardWorld) -> AcceptedUpdate:
    """The sum of a region, uploaded to its parent."""
    ordered = selection.in_order(below.updates)
    plan = below.plan(updates=ordered)
    values = below.values(below.combine(below.shards(), ordered, plan), "<i8")
    chunks = tuple(
        above.updates_log.put(
            chunk_partition(above.round.task, index, above.num_shards),
            values[index * CHUNK : (index + 1) * CHUNK].tobytes(),
        )
        for index in above.chunks
    )
    scales = (scale_of(plan.divisor, above.round.fraction_bits),)
    return an_update(100 + number, encoding="partial_sum", scales=scales, chunks=chunks, weight=plan.divisor)


@pytest.mark.parametrize("rules", MEANS)
@examples(10)
@given(data=st.data())
def test_shards_of_regions_and_of_their_parent_make_the_flat_model(rules: str, data: st.DataObject) -> None:
    lower, upper = MEANS[rules]
    everybody = federation(range(NUM_LEAVES), 2, lower)
    expected = everybody.model(everybody.shards())

    above = federation(range(NUM_LEAVES), data.draw(st.integers(1, 3)), upper)
    above.updates = [
        update_of(number, federation(group, data.draw(st.integers(1, 3)), lower, partial=True), above)
        for number, group in enumerate(grouped(range(NUM_LEAVES), data, 0))
    ]
    shards = above.shards()
    for shard in shards:
        shard.begin(above.round)
        for update in data.draw(st.lists(st.sampled_from(above.updates), max_size=4)):
            shard.add(above.round.task, above.round.round, above.round.attempt, update)
    np.testing.assert_array_equal(above.model(shards), expected)


@pytest.mark.parametrize("rule", ["unweighted_mean", "median", "geometric_median", "centered_clipping"])
def test_any_rule_above_takes_a_region_as_the_mean_of_its_participants(rule: str) -> None:
    parameters = {"radius": 1.0} if rule == "centered_clipping" else {}
    groups = [(0, 1), (2,), (3, 4, 5)]
    text = json.dumps({"name": rule, **parameters})
    above = federation(range(3), 2, "weighted_mean")
    above.round = replace(above.round, rule=text)
    regions = [federation(group, 2, "weighted_mean", partial=True) for group in groups]
    above.updates = [update_of(number, below, above) for number, below in enumerate(regions)]
    means = []
    for below in regions:
        ordered = selection.in_order(below.updates)
        plan = below.plan(updates=ordered)
        values = below.values(below.combine(below.shards(), ordered, plan), "<i8")
        means.append((values / scale_of(plan.divisor, below.round.fraction_bits)).astype(np.float32))
    plain = ShardWorld(
        means,
        chunk_elements=CHUNK,
        weights=[update.weight for update in above.updates],
        rule=text,
    )
    plain.updates = [
        replace(update, record_sha256=other.record_sha256)
        for update, other in zip(plain.updates, above.updates, strict=True)
    ]
    np.testing.assert_array_equal(above.model(above.shards()), plain.model(plain.shards()))
