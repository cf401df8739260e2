"""The convergence study: simulated rounds and buffers, and what the tables make of them."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fluvial.edge.training.config import TrainingConfig
from models.aggregation.rule import parse_rule
from models.aggregation.server_optimizer import parse_server_optimizer
from models.aggregation.staleness import Polynomial
from models.datasets import Dataset
from tests.benchmarks.convergence import curves, key, load, save
from tests.benchmarks.convergence_plots import plot
from tests.benchmarks.convergence_runs import OPTIMIZERS, RUNS, Run
from tests.benchmarks.convergence_table import Curve, markdown
from tests.benchmarks.simulation.buffered import Buffered
from tests.benchmarks.simulation.durations import Durations
from tests.benchmarks.simulation.learning import Learning, Point
from tests.benchmarks.simulation.optimised import Optimised
from tests.benchmarks.simulation.server import Server
from tests.benchmarks.simulation.splits import by_chance
from tests.benchmarks.simulation.synchronous import Rounds

SERVER = Server(rule=parse_rule({"name": "weighted_mean"}), target=3, max_weight=100, staleness=Polynomial(0.5))
DURATIONS = Durations(between=0.8, within=0.5)


class Recorded(Learning):
    """Remembers who trained from which version."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        targets = random.integers(0, 2, 160)
        inputs = 0.2 * random.random((160, 1, 9, 9), np.float32)
        inputs[:, :, :4] += targets.astype(np.float32)[:, None, None, None]
        pool = Dataset(inputs=inputs, targets=targets)
        super().__init__(
            parameters={"image_size": 9, "classes": 2, "channels": 4, "hidden": 8},
            pool=pool,
            evaluation=pool,
            split=by_chance(160, 16, seed=0),
            training=TrainingConfig(epochs=2, batch_size=5, learning_rate=0.1),
            seed=0,
        )
        self.trained: list[tuple[tuple[int, ...], tuple[int, ...]]] = []

    def train(
        self, bases: NDArray[np.float32], participants: Sequence[int], versions: Sequence[int]
    ) -> NDArray[np.float32]:
        self.trained.append((tuple(participants), tuple(versions)))
        return super().train(bases, participants, versions)


def test_synchronous_rounds_learn_and_are_the_same_again() -> None:
    rounds = Rounds(invited=3, server=SERVER)
    points = list(islice(rounds.run(Recorded()), 10))
    assert points == list(islice(rounds.run(Recorded()), 10))
    assert [(point.version, point.updates, point.time) for point in points[:2]] == [(1, 3, 0.0), (2, 6, 0.0)]
    assert max(point.accuracy for point in points) > 0.7


def test_over_invitation_takes_the_first_and_does_not_wait_for_the_slowest() -> None:
    def lasts(invited: int) -> float:
        return list(islice(Rounds(invited=invited, server=SERVER, durations=DURATIONS).run(Recorded()), 10))[-1].time

    assert lasts(6) < 0.7 * lasts(3)


def test_a_buffer_takes_updates_of_several_versions_and_never_of_one_to_come() -> None:
    learning = Recorded()
    points = list(islice(Buffered(concurrency=6, server=SERVER, durations=DURATIONS).run(learning), 12))
    assert [point.version for point in points] == list(range(1, 13))
    assert [point.time for point in points] == sorted(point.time for point in points)
    assert all(len(participants) == 3 for participants, _ in learning.trained)
    lags = [version - base for version, (_, bases) in enumerate(learning.trained) for base in bases]
    assert min(lags) == 0
    assert max(lags) >= 2
    assert max(point.accuracy for point in points) > 0.7


def test_buffers_apply_more_updates_in_the_same_time_than_rounds() -> None:
    rounds = list(islice(Rounds(invited=3, server=SERVER, durations=DURATIONS).run(Recorded()), 10))[-1]
    buffers = list(islice(Buffered(concurrency=3, server=SERVER, durations=DURATIONS).run(Recorded()), 10))[-1]
    assert buffers.updates / buffers.time > 1.3 * rounds.updates / rounds.time


def test_durations_keep_a_participants_speed() -> None:
    steady = Durations(between=0.8, within=0.0)
    assert steady.of(4, 0) == steady.of(4, 1) != steady.of(5, 0)
    assert DURATIONS.of(4, 0) != DURATIONS.of(4, 1)
    many = [DURATIONS.of(participant, 0) for participant in range(400)]
    assert float(np.median(many)) == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("name", [name for name, options in OPTIMIZERS.items() if options])
def test_a_server_optimizer_carries_its_moments_from_step_to_step(name: str) -> None:
    optimizer = parse_server_optimizer(OPTIMIZERS[name] or "")
    assert optimizer is not None
    model, moments = np.zeros(4, np.float32), optimizer.initial_moments(4)
    step, stepped = Optimised(optimizer), model
    for delta in (np.array([0.1, -0.2, 0.0, 0.3]), np.array([0.3, 0.1, -0.1, 0.0])):
        model, moments = optimizer.step(model, delta, moments)
        stepped = step(stepped, delta)
        assert np.array_equal(stepped, model)
    assert not np.array_equal(stepped, Optimised(optimizer)(np.zeros(4, np.float32), delta))


def test_runs_differ_and_finished_ones_are_found_again(tmp_path: Path) -> None:
    assert len({(run.study, run.name) for run in RUNS}) == len(RUNS)
    path = tmp_path / "convergence.json"
    run = Run(study="rounds", name="chance, E = 1", split="chance", versions=2)
    finished = {key(run): {"run": asdict(run), "cpu_seconds": 1.0, "points": POINTS}}
    save(path, "some data", [run], finished)
    found = load(path, "some data")
    assert curves([run], found) == curves([run], finished)
    with pytest.raises(ValueError, match="other data"):
        load(path, "other")


POINTS = [(1, 10, 2.0, 0.5), (2, 20, 4.0, 0.955), (3, 30, 6.0, 0.94)]


def test_the_tables_count_rounds_and_time_to_an_accuracy() -> None:
    points = tuple(POINTS)
    text = markdown([Curve(study=study, name="x", points=points) for study in ("rounds", "stragglers")], "some data")
    assert "| x | 2 | 2 | > 3 | > 3 | > 3 | 95.5 |" in text
    assert "| x | 5.0 | 4 (20 updates) | 4 (20 updates) | never | never | never | 95.5 |" in text


def test_plots_are_written_for_the_studies_that_are_there(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    paths = plot([Curve(study="rounds", name="x", points=tuple(POINTS))], tmp_path / "convergence.json")
    assert [path.name for path in paths] == ["convergence-rounds.svg", "convergence-rounds.png"]
    assert all(path.stat().st_size > 1000 for path in paths)


def test_a_run_ends_with_its_versions_or_its_time() -> None:
    points = [Point(version=number, updates=number, time=float(number), accuracy=0.5) for number in range(1, 9)]
    run = Run(study="stragglers", name="x", split="chance", versions=5, time=3.0)
    assert len(list(run._until_end(iter(points)))) == 3
