"""What measures the models of a task, as its file says."""

from pathlib import Path

from fluvial.wire.task_file import TaskFile
from models.datasets import load_evaluation
from models.evaluation.inference import Evaluator


def evaluator_of(task_file: TaskFile, root: Path, device: str = "auto") -> Evaluator | None:
    """An evaluator on the task's evaluation set; None for a task without one.

    root: folder that the set's path is relative to. Raises ValueError if there is no such set, if it does not fit the
    model or the metrics, or for a device that is not there.
    """
    wanted = task_file.evaluation
    if wanted is None:
        return None
    data = load_evaluation(root / wanted.data, wanted.data)
    model = task_file.model
    try:
        return Evaluator(
            model.architecture,
            model.parameters,
            data.inputs,
            data.targets,
            wanted.metrics,
            device=device,
            batch_size=wanted.batch_size,
        )
    except ValueError as error:
        raise ValueError(f"the evaluation set {wanted.data} cannot be used: {error}") from error
