"""Simulated federations: their models are those of the jobs' code, and replay comes to the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.simulation.books import RoundRow
from deploy.simulation.federation import NoQuorum, SimulatedFederation
from pipelines.replay import replay
from tests.unit.deploy.simulation.small_task import GROUPS, a_plan
from tests.unit.pipelines.replay.shard_federation import RULES

BUFFERED = {"mode": "buffered", "max_staleness": 2}
TUMBLING = {"mode": "tumbling", "max_staleness": 1}


def rows(folder: Path, workers: int = 1, **fields: Any) -> list[RoundRow]:
    return list(SimulatedFederation(a_plan(folder, **fields), workers=workers).run())


OTHERWISE: dict[str, dict[str, Any]] = {
    "adam": {"server_optimizer": {"name": "adam", "learning_rate": 0.1}},
    "buffered": {"window": BUFFERED, "quorum": 5, "target": 5},
    "tumbling": {"window": TUMBLING, "target": 8},
}


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        *(pytest.param(rule, {}, id=rule["name"]) for rule in RULES),
        *(
            pytest.param(rule, fields, id=f"{rule['name']}-{name}")
            for name, fields in OTHERWISE.items()
            for rule in RULES[:2]
        ),
    ],
)
def test_replay_comes_to_the_same_bytes(tmp_path: Path, rule: dict[str, Any], fields: dict[str, Any]) -> None:
    federation = SimulatedFederation(a_plan(tmp_path, rule=rule, **fields), keep_updates=True)
    made = list(federation.run())
    assert [row.version for row in made] == [1, 2, 3]
    for row in made:
        result = replay(federation.log, "small", row.version)
        assert result.differs == ()
        assert result.contributions == row.included + row.excluded


@pytest.mark.parametrize("encoding", ["float32", "int8"])
def test_replay_comes_to_the_same_bytes_of_any_encoding(tmp_path: Path, encoding: str) -> None:
    federation = SimulatedFederation(a_plan(tmp_path), encoding=encoding, keep_updates=True)
    assert [replay(federation.log, "small", row.version).bit_exact for row in federation.run()] == [True] * 3


def test_neither_workers_nor_a_second_run_leave_a_trace(tmp_path: Path) -> None:
    alone, again, shared = rows(tmp_path), rows(tmp_path), rows(tmp_path, workers=2)
    assert alone == again == shared


def test_another_seed_divides_and_orders_otherwise(tmp_path: Path) -> None:
    one, other = rows(tmp_path, participants=16), rows(tmp_path, participants=16, seed=1)
    assert one[0].model_digest != other[0].model_digest


def test_models_learn_and_are_measured_by_group(tmp_path: Path) -> None:
    measured = [row.metrics for row in rows(tmp_path, rounds=8)]
    assert measured[-1] is not None
    assert measured[0] is not None
    assert measured[-1].metrics["loss"] < measured[0].metrics["loss"]
    assert measured[-1].metrics["accuracy"] > 0.8
    by_site = {group.group: group for group in measured[-1].groups}
    assert {name: group.num_examples for name, group in by_site.items()} == {"north": 30, "south": 30}
    mean = (by_site["north"].metrics["accuracy"] + by_site["south"].metrics["accuracy"]) / 2
    assert mean == pytest.approx(measured[-1].metrics["accuracy"])


def test_a_task_without_an_evaluation_set_is_not_measured(tmp_path: Path) -> None:
    assert [row.metrics for row in rows(tmp_path, evaluation=None)] == [None] * 3


def test_the_target_closes_a_round_and_who_comes_after_it_is_late(tmp_path: Path) -> None:
    made = rows(tmp_path)
    assert [row.included for row in made] == [6, 6, 6]
    assert sum(row.late for row in made) > 0


def test_a_quorum_is_enough_at_the_deadline(tmp_path: Path) -> None:
    made = rows(tmp_path, target=GROUPS, quorum=GROUPS - 3, deadline_seconds=0.0101, rounds=1)
    assert made[0].included <= GROUPS
    assert made[0].simulated_seconds >= 0.001


def test_updates_of_earlier_rounds_count_in_buffered_windows(tmp_path: Path) -> None:
    federation = SimulatedFederation(a_plan(tmp_path, window=BUFFERED, quorum=3, target=3, rounds=6), keep_updates=True)
    list(federation.run())
    lags = {
        manifest.round - contribution.round
        for manifest in federation.log.published.values()
        for contribution in manifest.contributions
    }
    assert lags >= {0, 1}


def test_a_round_invites_its_sample(tmp_path: Path) -> None:
    federation = SimulatedFederation(
        a_plan(tmp_path, participants=48, sampling={"fraction": 0.5}, quorum=10, target=48), keep_updates=True
    )
    assert all(10 <= row.included < 40 for row in federation.run())


def test_the_gates_limits_hold_and_are_named(tmp_path: Path) -> None:
    limits = {"max_abs": 8.0, "max_norm": 1e-4, "max_weight": 100}
    with pytest.raises(NoQuorum, match=r"failed 3 times .*24 rejected for NORM_EXCEEDED"):
        rows(tmp_path, limits=limits)


def test_training_that_diverges_is_not_sent(tmp_path: Path) -> None:
    training = {"epochs": 2, "batch_size": 4, "learning_rate": 1e30, "weight_decay": 1e30}
    with pytest.raises(NoQuorum, match=r"8 of training that failed: the loss is (nan|inf)"):
        rows(tmp_path, training=training)


def test_who_has_too_few_examples_sits_out(tmp_path: Path) -> None:
    with pytest.raises(NoQuorum, match="8 sat out"):
        rows(tmp_path, participation={"min_examples": 13})


def test_what_cannot_be_simulated_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="owes what it leaves out"):
        SimulatedFederation(a_plan(tmp_path), encoding="top_k")
    with pytest.raises(ValueError, match="the task takes the encodings"):
        SimulatedFederation(a_plan(tmp_path), encoding="float16")
    with pytest.raises(ValueError, match="96 examples are too few for 97 participants"):
        SimulatedFederation(a_plan(tmp_path, participants=97))
    with pytest.raises(ValueError, match="holds against 1 at most in a quorum of 5"):
        rows(tmp_path, rule={"name": "krum", "num_byzantine": 5})


def test_nothing_of_past_rounds_is_kept(tmp_path: Path) -> None:
    federation = SimulatedFederation(a_plan(tmp_path, kept_versions=2, rounds=6))
    list(federation.run())
    assert federation.log.num_chunks <= (2 * 3, 2 * 3)
