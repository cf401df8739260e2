"""The task air: its package, its files and what they are made of."""

from pathlib import Path

import numpy as np
import pytest

from deploy.tasks.air import prepare
from deploy.tasks.air.data import AHEAD, STATIONS, WINDOW, evaluation, load
from fluvial.edge.packages import Packages
from fluvial.edge.packages.examples import Examples
from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.task_file import TaskFile
from models.aggregation.fixed_point import fraction_bits
from models.evaluation.task import evaluator_of

FOLDER = Path(__file__).parents[4] / "deploy" / "tasks" / "air"
HOURS = 1461 * 24
SILENT_FROM, SILENT_UNTIL = prepare.FIRST + 100, prepare.FIRST + 140


def made_up(folder: Path) -> None:
    """Stations of which the concentration is the hour of the training year, 999 at most, with a gap of 40 hours."""
    days = np.arange(np.datetime64("2013-03-01T00"), np.datetime64("2017-03-01T00"))
    assert len(days) == HOURS
    rows = ["month,PM2.5,TEMP,DEWP,PRES,WSPM,wd"]
    for hour, day in enumerate(days):
        pm = "NA" if SILENT_FROM <= hour < SILENT_UNTIL else min(max(hour - prepare.FIRST, 0), 999)
        rows.append(f"{int(str(day)[5:7])},{pm},{'NA' if hour == prepare.FIRST + 1 else 12.0},-3.0,1018.0,2.5,SE")
    for station in STATIONS:
        (folder / f"PRSA_Data_{station}_20130301-20170228.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("air")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "STATIONS", STATIONS[:1])
        patch.setattr(prepare, "HERE", folder)
        made_up(folder)
        prepare.main(folder)
    return folder


def test_the_task_trains_a_station_and_measures_all() -> None:
    task = TaskFile.read(FOLDER / "task.yaml")
    code = TaskCode.of(task, Packages([FOLDER]))
    examples = code.participant_examples(FOLDER / "data", len(STATIONS) - 1)
    assert len(examples) <= task.limits.max_weight
    with pytest.raises(ValueError, match="12 stations"):
        code.participant_examples(FOLDER / "data", len(STATIONS))
    assert fraction_bits(task.target, task.limits.max_weight, task.limits.max_abs) >= 32
    state, base = code.state(), code.initial()
    part = Examples(inputs=np.asarray(examples.inputs)[:512], targets=examples.targets[:512])
    trained = code.train(state, base, part, task.training.model_dump(), seed=1)
    assert trained is not None
    evaluator = evaluator_of(code, "cpu")
    assert evaluator is not None
    before, after = evaluator.measure(base), evaluator.measure_with_groups(base + trained[0])
    assert after.metrics["mae"] < before["mae"]
    assert {group.group for group in after.groups} == {*STATIONS, "never", "for hours"}
    assert np.linalg.norm(trained[0]) <= task.limits.max_norm


def test_a_forecast_is_of_six_hours_after_the_newest_measurement(made: Path) -> None:
    windows, later = load(made / "data", 0)
    newest = windows[:, -1, 0] * 100
    np.testing.assert_allclose(newest[0], WINDOW - 1, atol=1e-4)
    assert later[0] == WINDOW - 1 + AHEAD
    np.testing.assert_allclose(windows[0, 1], [0.01, 1, 0.6, -0.15, 0.5, 1.25, *windows[0, 1, 6:]], atol=1e-6)
    np.testing.assert_allclose(windows[0, 0, 6:8], [np.sin(3 * np.pi / 4), np.cos(3 * np.pi / 4)], atol=1e-6)


def test_a_station_that_falls_silent_goes_on_with_its_last_measurement_and_says_so(made: Path) -> None:
    windows, later = load(made / "data", 0)
    silent = windows[windows[:, -1, 1] == 0]
    assert len(silent)
    np.testing.assert_allclose(silent[:, -1, 0] * 100, 99, atol=1e-4)
    assert not set(range(100, 140)) & set(later.astype(int)), "what is forecast was measured"


def test_the_evaluation_set_is_a_week_of_each_month(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.tasks.air.data.STATIONS", STATIONS[:1])
    windows, _, groups = evaluation(made)
    assert len(windows) == 12 * len(range(WINDOW, prepare.KEPT_DAYS * 24 - AHEAD + 1, 5))
    assert set(groups["silent"]) == {"never"}


def test_the_committed_files_are_small() -> None:
    assert sum(file.stat().st_size for file in FOLDER.rglob("*.safetensors")) < 1_000_000
