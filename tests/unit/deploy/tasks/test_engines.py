"""The task engines: its package, its files and what they are made of."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from deploy.tasks.engines import prepare
from deploy.tasks.engines.data import MOST, WINDOW, evaluation, load
from fluvial.edge.packages import Packages
from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.task_file import TaskFile
from models.acceleration.bench import Bench, outputs_of
from models.acceleration.example_sets import load_set
from models.aggregation.fixed_point import fraction_bits
from models.evaluation.task import evaluator_of

FOLDER = Path(__file__).parents[4] / "deploy" / "tasks" / "engines"
FLEETS = 6


def made_up(folder: Path) -> None:
    """A source of the same form with 12 engines of each set; what remains of a test engine is 40 cycles."""
    random = np.random.default_rng(1)

    def lines(lengths: range) -> str:
        rows = ["engine cycle " + " ".join(f"x{number}" for number in range(24))]
        for engine, length in enumerate(lengths, 1):
            readings = random.normal(600, 1, (length, 24))
            rows += [f"{engine} {cycle} " + " ".join(f"{x:.4f}" for x in row) for cycle, row in enumerate(readings, 1)]
        return "\n".join(rows) + "\n"

    (folder / "train_FD001.txt").write_text(lines(range(150, 270, 10)))
    (folder / "test_FD001.txt").write_text(lines(range(31, 151, 10)))
    (folder / "RUL_FD001.txt").write_text("RUL\n" + "40\n" * 12)


def test_the_task_trains_a_fleet_and_measures_every_engine() -> None:
    task = TaskFile.read(FOLDER / "task.yaml")
    code = TaskCode.of(task, Packages([FOLDER]))
    fleets = [code.participant_examples(FOLDER / "data", fleet) for fleet in range(FLEETS)]
    assert max(map(len, fleets)) <= task.limits.max_weight
    assert task.target == FLEETS
    with pytest.raises(ValueError, match="no fleet-7"):
        code.participant_examples(FOLDER / "data", FLEETS)
    assert fraction_bits(task.target, task.limits.max_weight, task.limits.max_abs) >= 32
    state, base = code.state(), code.initial()
    trained = code.train(state, base, fleets[0], {**task.training.model_dump(), "epochs": 2}, seed=1)
    assert trained is not None
    evaluator = evaluator_of(code, "cpu")
    assert evaluator is not None
    before, after = evaluator.measure(base), evaluator.measure_with_groups(base + trained[0])
    assert after.metrics["rmse"] < before["rmse"] / 2
    assert {group.attribute for group in after.groups} == {"life", "remaining"}
    assert np.abs(trained[0]).max() <= task.limits.max_abs
    assert np.linalg.norm(trained[0]) <= task.limits.max_norm


def test_windows_end_where_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up(tmp_path)
    monkeypatch.setattr(prepare, "HERE", tmp_path)
    prepare.main(tmp_path)
    windows, remaining = load(tmp_path / "data", 0)
    readings = load_file(tmp_path / "data" / "fleet-1.safetensors")["readings"]
    first_engine = 150
    assert remaining[0] == 0, "the newest window of an engine that failed"
    np.testing.assert_array_equal(windows[0], readings[first_engine - WINDOW : first_engine])
    assert remaining[1] == 2
    assert remaining.max() <= MOST
    _, remaining, groups = evaluation(tmp_path)
    assert sorted(set(remaining)) == [40, 50, 60, 70]
    assert sum(remaining == 40) == 12
    assert sum(remaining == 70) == 9, "three engines have too few readings for a fourth window"
    assert set(groups["remaining"]) == {"below 50", "50-124"}


def test_the_files_are_made_the_same_each_time_and_the_committed_ones_are_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up(tmp_path)
    made = []
    for number in (1, 2):
        here = tmp_path / str(number)
        here.mkdir()
        monkeypatch.setattr(prepare, "HERE", here)
        prepare.main(tmp_path)
        made.append([file.read_bytes() for file in sorted(here.rglob("*.safetensors"))])
    assert made[0] == made[1]
    assert len(made[0]) == FLEETS + 1
    assert sum(file.stat().st_size for file in FOLDER.rglob("*.safetensors")) < 800_000


def test_variants_are_measured_on_other_engines_than_they_are_calibrated_with() -> None:
    task = TaskFile.read(FOLDER / "task.yaml")
    assert task.acceleration is not None
    code = TaskCode.of(task, Packages([FOLDER]))
    measured, calibrated = load_set(code, task.acceleration.gate), load_set(code, task.acceleration.calibration)
    windows = {window.tobytes() for window in measured.inputs}
    assert windows.isdisjoint(window.tobytes() for window in calibrated.inputs)
    assert len(measured.inputs) + len(calibrated.inputs) == len(code.evaluation_examples() or ())
    assert load_set(code, task.acceleration.gate).sha256 == measured.sha256 != calibrated.sha256
    state = code.state()
    reference = outputs_of(code, state.flatten(), measured.inputs)
    metrics = task.acceleration.policy.metrics
    drops = Bench(gate=measured, reference=reference, metrics=metrics).compared(reference + 2, b"artefact").drops
    assert {(drop.metric, drop.group) for drop in drops} >= {("mae", "all"), ("rmse", "all")}
