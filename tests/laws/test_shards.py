"""Laws of aggregation by shards: the model depends on the updates and the rule alone.

Not on the number of shards, nor on who read what when: the order of arrival, what was accumulated before the round
closed, what a restart lost, the memory for sums and bands, how uploads lie in the log, where work was interrupted.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fluvial.wire.records import WindowMode
from pipelines.aggregation.shards.shard import Shard
from tests.laws.effort import examples
from tests.unit.pipelines.aggregation.shards.shard_world import ShardWorld, run

NUM_UPDATES, ELEMENTS, CHUNK = 5, 22, 4

MEAN = {"name": "weighted_mean"}
RULES: dict[str, dict[str, Any]] = {
    "mean": MEAN,
    "unweighted": {"name": "unweighted_mean"},
    "krum": {"name": "multi_krum", "num_byzantine": 1},
    "median": {"name": "median"},
    "trimmed": {"name": "trimmed_mean", "num_byzantine": 1},
    "geometric": {"name": "geometric_median"},
    "clipped": {"name": "clipped", "max_norm": 1e-4, "rule": MEAN},
    "clipped median": {"name": "clipped", "max_norm": 1e-4, "rule": {"name": "median"}},
    "wrapped": {
        "name": "clipped",
        "max_norm": 2.0,
        "rule": {
            "name": "nearest_neighbour_mixing",
            "num_byzantine": 1,
            "rule": {"name": "trimmed_mean", "num_byzantine": 1},
        },
    },
}
ASYNCHRONOUS = {
    "window": WindowMode.BUFFERED,
    "max_staleness": 4,
    "staleness": json.dumps({"name": "polynomial", "exponent": 0.5}),
    "round": 5,
}


def world(
    num_shards: int, interleaved: bool, rule: dict[str, Any], fields: dict[str, Any], chunk_elements: int = CHUNK
) -> ShardWorld:
    generator = np.random.default_rng(11)
    deltas = [generator.normal(size=ELEMENTS).astype(np.float32) for _ in range(NUM_UPDATES)]
    built = ShardWorld(
        deltas,
        chunk_elements=chunk_elements,
        num_shards=num_shards,
        encodings=["float32", "int8", "bfloat16", "inline" if chunk_elements >= ELEMENTS else "int4", "float16"],
        interleaved=interleaved,
        rule=json.dumps(rule),
        **fields,
    )
    built.updates = [
        replace(update, round=built.round.round - (number % 3 if "staleness" in fields else 0))
        for number, update in enumerate(built.updates)
    ]
    if built.round.server_optimizer:
        first = [np.full(ELEMENTS, value, np.float32) for value in (0.25, 0.5)]
        chunks = tuple(chunk for moment in first for chunk in built.model_chunks(moment))
        built.round = replace(built.round, optimizer_chunks=chunks)
    return built


@cache
def by_one_shard(rule: str, **fields: Any) -> NDArray[np.float32]:
    """The model that all others are to be."""
    reference = world(1, True, RULES[rule], fields)
    return reference.model(reference.shards())


VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in RULES),
    ("mean", ASYNCHRONOUS),
    ("unweighted", ASYNCHRONOUS),
    ("median", ASYNCHRONOUS),
    ("mean", {"server_optimizer": json.dumps({"name": "adam", "learning_rate": 0.1})}),
    ("median", {"server_optimizer": json.dumps({"name": "yogi", "learning_rate": 0.1})}),
]


@pytest.mark.parametrize(("rule", "fields"), VARIANTS)
@examples(20)
@given(data=st.data())
def test_the_model_depends_on_updates_and_rule_alone(rule: str, fields: dict[str, Any], data: st.DataObject) -> None:
    expected = by_one_shard(rule, **fields)
    built = world(data.draw(st.sampled_from([1, 2, 3, 4])), data.draw(st.booleans()), RULES[rule], fields)
    sizes = {
        "memory": data.draw(st.sampled_from([1, 4 * CHUNK * NUM_UPDATES * 4, 1 << 20])),
        "sums": data.draw(st.sampled_from([0, 8 * CHUNK * 2, 1 << 20])),
        "slice_bytes": data.draw(st.sampled_from([1, 50, 1 << 20])),
    }
    shards = built.shards(**sizes)
    if RULES[rule]["name"] in ("weighted_mean", "unweighted_mean"):
        for number, shard in enumerate(shards):
            accumulate(built, shard, data)
            if data.draw(st.booleans(), label="the shard restarts"):
                shards[number] = built.shard(number, **sizes)
    updates = data.draw(st.permutations(built.updates))
    np.testing.assert_array_equal(built.model(shards, updates), expected)


def accumulate(built: ShardWorld, shard: Shard, data: st.DataObject) -> None:
    """Some updates in some order, in one pass or several, the last of which may be cut short."""
    shard.begin(built.round)
    arrived = data.draw(st.lists(st.sampled_from(built.updates), max_size=NUM_UPDATES))
    for update in arrived:
        shard.add(built.round.task, built.round.round, built.round.attempt, update)
        if data.draw(st.booleans()):
            run(shard.accumulate(built.round.task))
    cut_short = shard.accumulate(built.round.task)
    for _ in range(data.draw(st.integers(0, 3))):
        next(cut_short, None)
