"""What candidates are scored with."""

from pathlib import Path

import pytest

from fluvial.edge.training.architectures import initial_state
from fluvial.wire.scoring import ScoringSpec
from fluvial.wire.task_file import TaskFile
from pipelines.validation.process import make_scorer, read_task_file
from tests.unit.pipelines.validation.stage import SETTINGS


def test_a_tasks_candidates_are_scored_on_its_canary_set() -> None:
    root = Path(__file__).resolve().parents[4]
    task_file = TaskFile.read(root / "deploy/tasks/credit/task.yaml")
    scoring = ScoringSpec(canary="deploy/tasks/credit/calibration.safetensors", max_examples=32)
    settings = SETTINGS.model_copy(update={"repository_root": root, "device": "cpu"})
    scorer = make_scorer(settings, task_file.model_copy(update={"scoring": scoring}))
    model = initial_state(task_file.model.architecture, task_file.model.parameters, 1)
    base, step = scorer.base(model)
    (score,) = scorer.score(model, [0.01 * step], step)
    assert score.loss < base.loss
    nowhere = task_file.model_copy(update={"scoring": ScoringSpec(canary="none.safetensors")})
    with pytest.raises(ValueError, match="no data at none"):
        make_scorer(settings, nowhere)


def test_what_is_no_task_file_has_no_scoring() -> None:
    assert read_task_file("{}") is None
