"""What a process has is made once for its subtasks, and ends with the last of them."""

from pathlib import Path
from typing import Any

import pytest

from fluvial.wire.scoring import ScoringSpec
from fluvial.wire.task_file import TaskFile
from models.architectures import initial_state
from pipelines.config import Settings
from pipelines.validation.catching_up import CatchingUp
from pipelines.validation.content_checks import ContentChecks
from pipelines.validation.known import Known
from pipelines.validation.process import Process, acquire, make_scorer, read_task_file, release
from pipelines.validation.trusted_records import TrustedRecords
from tests.unit.pipelines.validation.stage import SETTINGS


def test_subtasks_share_what_a_process_has_while_any_of_them_runs() -> None:
    made: list[Process] = []
    closed: list[Process] = []

    def make(settings: Settings) -> Process:
        checks = ContentChecks(lambda reference: (None, b""), lambda update, key: True)  # type: ignore[arg-type,return-value]
        process = Process(
            Known(trusted=TrustedRecords.of(settings)),
            checks,
            None,  # type: ignore[arg-type]  # scores
            CatchingUp(lambda: None, 0),
            lambda: closed.append(process),
        )
        made.append(process)
        return process

    first, second = acquire(SETTINGS, make), acquire(SETTINGS, make)
    assert first is second
    release(SETTINGS)
    assert acquire(SETTINGS, make) is first
    another: Any = SETTINGS.model_copy(update={"submission": "another"})
    other = acquire(another, make)
    assert other is not first
    assert closed == []
    release(SETTINGS)
    release(SETTINGS)
    assert closed == [first]
    assert acquire(SETTINGS, make) is made[2]
    for settings in (another, SETTINGS):
        release(settings)
    assert closed == [first, other, made[2]]


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
