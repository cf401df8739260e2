"""The convergence study: its runs, and what the tables make of them."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from models.aggregation.server_optimizer import parse_server_optimizer
from tests.benchmarks.convergence import curves, key, load, save
from tests.benchmarks.convergence_plots import plot
from tests.benchmarks.convergence_runs import OPTIMIZERS, RUNS, Run
from tests.benchmarks.convergence_table import Curve, markdown
from tests.benchmarks.simulation.durations import Durations
from tests.benchmarks.simulation.learning import Point
from tests.benchmarks.simulation.optimised import Optimised

DURATIONS = Durations(between=0.8, within=0.5)


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
