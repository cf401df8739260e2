"""Replay comes to the bytes that the jobs' code came to, for every rule, window and server optimizer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipelines.replay import replay
from tests.unit.pipelines.replay.shard_federation import NUM_CHUNKS, RULES, ShardFederation

ADAM = {"name": "adam", "learning_rate": 0.1}
POLYNOMIAL = {"name": "polynomial", "exponent": 0.5}
LAGS = {"ann": 1, "cyd": 2}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["name"])
@pytest.mark.parametrize("memory_bytes", [1, 1 << 20])
@pytest.mark.parametrize(
    "terms",
    [{}, {"server_optimizer": ADAM}, {"staleness": POLYNOMIAL, "lags": LAGS}],
    ids=["plain", "adam", "asynchronous"],
)
def test_the_same_bytes_come_out(rule: dict[str, Any], memory_bytes: int, terms: dict[str, Any]) -> None:
    result = replay(ShardFederation(rule, **terms).log, "t", 3, memory_bytes=memory_bytes)
    assert result.differs == ()
    assert result.versions == (3,)


def test_lost_moments_are_computed_from_the_parents_parents() -> None:
    log = ShardFederation(RULES[0], server_optimizer=ADAM).log
    for chunk in log.published[2].optimizer_chunks[NUM_CHUNKS:]:
        log.topics["model-blobs"][chunk.offset] = None
    result = replay(log, "t", 3)
    assert result.bit_exact
    assert result.versions == (2, 3)


def test_moments_that_the_step_does_not_make_are_found() -> None:
    log = ShardFederation(RULES[0], server_optimizer=ADAM).log
    chunks = list(log.published[3].optimizer_chunks)
    chunks[NUM_CHUNKS + 1] = replace(chunks[NUM_CHUNKS + 1], sha256=bytes(32))
    log.published[3] = replace(log.published[3], optimizer_chunks=tuple(chunks))
    assert replay(log, "t", 3).differs == ("version 3: chunk 1 of moment 2 does not have the manifest's digest",)


def test_an_effective_weight_that_the_rule_does_not_give_is_found() -> None:
    log = ShardFederation(RULES[0], staleness=POLYNOMIAL, lags=LAGS).log
    first, *others = log.published[3].contributions
    altered = replace(first, effective_weight=first.effective_weight + 1)
    log.published[3] = replace(log.published[3], contributions=(altered, *others))
    (found,) = replay(log, "t", 3).differs
    assert f"{first.participant} has the effective weight {altered.effective_weight}; the rule gives" in found


def test_without_staleness_an_update_of_an_earlier_round_does_not_count() -> None:
    log = ShardFederation(RULES[0], staleness=POLYNOMIAL, lags=LAGS).log
    log.published[3] = replace(log.published[3], staleness="")
    assert "it is for another round" in replay(log, "t", 3).differs[0]


def test_an_update_from_a_model_that_was_not_the_newest_in_its_round_does_not_count() -> None:
    log = ShardFederation(RULES[0], staleness=POLYNOMIAL, lags=LAGS).log
    # As if the round that ann and cyd trained for had begun only after the version that they started from was gone.
    log.published[2] = replace(log.published[2], round=1)
    log.published[1] = replace(log.published[1], round=0)
    assert "it was trained from another model" in replay(log, "t", 3).differs[0]


def test_the_sum_of_a_region_needs_no_manifest_of_its_base() -> None:
    log = ShardFederation(RULES[0], versions=1, partial=True).log
    manifest = log.published.pop(1)
    del log.published[0]
    log.published[7] = replace(manifest, version=7)
    result = replay(log, "t", 7)
    assert (result.differs, result.versions) == ((), (7,))
    log.published[7] = replace(manifest, version=7, parent_digest=bytes(32))
    assert "it was trained from another model" in replay(log, "t", 7).differs[0]
