"""Leaving somebody out gives the model of a federation in which they never took part, as far as one round goes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fluvial.wire.errors import VerificationError
from pipelines.replay import Counterfactual, counterfactual
from tests.unit.pipelines.replay.shard_federation import RULES, ShardFederation

KRUM = next(rule for rule in RULES if rule["name"] == "multi_krum")
DECIDING_ON_FOUR = [{**rule, "num_byzantine": 0} if rule is KRUM else rule for rule in RULES]
ADAM = {"name": "adam", "learning_rate": 0.1}


class Recorder:
    """Measures nothing, but remembers the models it was given."""

    def __init__(self) -> None:
        self.models: list[np.ndarray] = []

    def __call__(self, model: np.ndarray) -> dict[str, float]:
        self.models.append(model)
        return {"first": float(model[0])}


def run(federation: ShardFederation, *without: str, **more: Any) -> tuple[Counterfactual, np.ndarray]:
    recorder = Recorder()
    result = counterfactual(federation.log, "t", 3, without, metrics=recorder, **more)
    np.testing.assert_array_equal(recorder.models[0], federation.model(3))
    return result, recorder.models[1]


@pytest.mark.parametrize("rule", DECIDING_ON_FOUR, ids=lambda rule: rule["name"])
@pytest.mark.parametrize("optimizer", [None, ADAM], ids=["plain", "adam"])
@pytest.mark.parametrize("memory_bytes", [1, 1 << 20])
def test_one_round_without_somebody(rule: dict[str, Any], optimizer: dict[str, Any] | None, memory_bytes: int) -> None:
    federation = ShardFederation(rule, server_optimizer=optimizer)
    result, model = run(federation, "bob", memory_bytes=memory_bytes)
    other = ShardFederation(
        rule, server_optimizer=optimizer, absent=lambda version: frozenset({"bob"} if version == 3 else ())
    )
    np.testing.assert_array_equal(model, other.model(3))
    assert (result.versions, result.updates_left, result.updates_left_out) == ((3,), (4,), (1,))
    published = federation.model(3).astype(np.float64)
    assert result.distance == pytest.approx(float(np.linalg.norm(published - model)))
    assert result.step == pytest.approx(float(np.linalg.norm(published - federation.model(2))))
    assert result.metrics_before == {"first": float(published[0])}
    assert result.metrics_after == {"first": float(model[0])}


def test_a_chain_of_rounds_takes_the_others_updates_as_they_were() -> None:
    federation = ShardFederation(RULES[0], server_optimizer=ADAM)
    result, model = run(federation, "bob", "eve", first=2)
    assert (result.versions, result.updates_left) == ((2, 3), (3, 3))
    # The updates of this federation depend on the round alone, so leaving somebody out from the start is the same.
    without = frozenset({"bob", "eve"})
    other = ShardFederation(
        RULES[0], server_optimizer=ADAM, absent=lambda version: without if version >= 2 else frozenset()
    )
    np.testing.assert_array_equal(model, other.model(3))


def test_a_quorum_that_would_be_missing_is_said() -> None:
    result, _ = run(ShardFederation(RULES[0]), "ann", quorum=5)
    assert result.below_quorum == (3,)
    assert run(ShardFederation(RULES[0]), "ann", quorum=4)[0].below_quorum == ()


def test_who_took_no_part_cannot_be_left_out() -> None:
    with pytest.raises(ValueError, match="zoe took no part; ann, bob, cyd, dan, eve did"):
        run(ShardFederation(RULES[0]), "zoe")


def test_a_round_that_could_not_have_been() -> None:
    with pytest.raises(ValueError, match="version 3 could not have been made: no update is left"):
        run(ShardFederation(RULES[0]), "ann", "bob", "cyd", "dan", "eve")
    with pytest.raises(ValueError, match="version 3 could not have been made: Krum"):
        run(ShardFederation(KRUM), "ann")


def test_versions_that_there_are_not() -> None:
    federation = ShardFederation(RULES[0])
    for version, first in ((4, 4), (0, 0), (3, 0), (2, 3)):
        with pytest.raises(ValueError, match="it has 1 to 3"):
            counterfactual(federation.log, "t", version, ["bob"], first=first)


def test_evidence_that_does_not_hold_is_no_basis() -> None:
    federation = ShardFederation(RULES[0])
    federation.log.topics["updates"][-1] = b"something else"
    with pytest.raises(VerificationError, match="other bytes than the manifest's digest"):
        counterfactual(federation.log, "t", 3, ["bob"])


def test_without_an_evaluation_set_there_are_no_metrics() -> None:
    result = counterfactual(ShardFederation(RULES[0]).log, "t", 3, ["bob"])
    assert (result.metrics_before, result.metrics_after) == (None, None)
