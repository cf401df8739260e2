"""What replay takes from a task's file: its evaluation set."""

from pathlib import Path

from deploy.machine.jars import CHECKOUT
from fluvial.edge.training.architectures import initial_state
from fluvial.wire.task_file import TaskFile
from pipelines.replay.task import metrics_of

HEART = TaskFile.read(CHECKOUT / "deploy/tasks/heart/task.yaml")


def test_models_are_measured_on_the_tasks_evaluation_set() -> None:
    measure = metrics_of(HEART, CHECKOUT)
    assert measure is not None
    assert HEART.evaluation is not None
    model = HEART.model
    measured = measure(initial_state(model.architecture, model.parameters, model.seed))
    assert set(measured) == set(HEART.evaluation.metrics)


def test_a_task_without_an_evaluation_set_measures_nothing() -> None:
    assert metrics_of(HEART.model_copy(update={"evaluation": None}), Path("nowhere")) is None
