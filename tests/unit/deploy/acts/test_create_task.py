"""What `create_task` refuses before it reaches a broker."""

from pathlib import Path
from typing import Any

import pytest

from deploy.acts.tasks import create_task
from deploy.federation.keys import ServiceKeys
from deploy.machine.jars import CHECKOUT
from fluvial.identity.brokers import Brokers
from fluvial.wire.task_file import TaskFile
from tests.unit.fluvial.edge.region.region_world import TASK_FILE

HEART = TaskFile.read(CHECKOUT / "deploy" / "tasks" / "heart" / "task.yaml").model_dump()


def create(folder: Path, task_file: TaskFile) -> None:
    keys = ServiceKeys.load_or_make(folder)
    nowhere = keys.federation(Brokers(bootstrap_servers="127.0.0.1:1"), topic_prefix="x.", partitions=1)
    create_task(nowhere, keys, task_file)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": 3_000_000_000}, "target"),
        ({"target": 100_000}, "room for"),
        ({"deadline_seconds": 1e16}, "deadline_seconds"),
        ({"deadline_seconds": 259_200}, "chunks are kept"),
    ],
)
def test_terms_that_no_record_could_hold_or_that_outlast_the_chunks_are_refused(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    keys = ServiceKeys.load_or_make(tmp_path)
    nowhere = keys.federation(Brokers(bootstrap_servers="127.0.0.1:1"), topic_prefix="x.", partitions=1)
    heart = TaskFile.read(Path("deploy/tasks/heart/task.yaml"))
    with pytest.raises(ValueError, match=said):
        create_task(nowhere, keys, TaskFile.model_validate({**heart.model_dump(), **changes}))


def test_a_partial_task_is_left_to_the_process_of_its_region(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fluvial region run"):
        create(tmp_path, TaskFile.model_validate(TASK_FILE))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"evaluation": {**HEART["evaluation"], "data": "deploy/tasks/heart/evaluaton.safetensors"}},
            "there is no data at deploy/tasks/heart/evaluaton.safetensors",
        ),
        (
            {"evaluation": {**HEART["evaluation"], "data": "deploy/tasks/digits/evaluation.safetensors"}},
            "deploy/tasks/digits/evaluation.safetensors cannot be used: inputs of shape",
        ),
        (
            {"model": {"architecture": "logistic_regression", "parameters": {"inputs": 22, "classes": 1}}},
            "the model has 1 class",
        ),
    ],
)
def test_an_evaluation_set_that_is_missing_or_does_not_fit_is_refused(
    tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        create(tmp_path, TaskFile.model_validate({**HEART, **change}))
