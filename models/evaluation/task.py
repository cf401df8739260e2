"""What measures the models of a task, as its file says."""

from fluvial.edge.training.task_code import TaskCode
from models.evaluation.inference import Evaluator
from models.evaluation.measurable import unusable


def evaluator_of(code: TaskCode, device: str = "auto") -> Evaluator | None:
    """An evaluator on the task's evaluation set; None for a task without one.

    Raises ValueError if there is no such set, if it does not fit the model or the metrics, or for a device that is not
    there.
    """
    wanted = code.task_file.evaluation
    examples = code.evaluation_examples()
    if wanted is None or examples is None:
        return None
    loss = code.task_file.loss if code.loss_is_built_in else code.loss
    try:
        return Evaluator(
            code.state(),
            examples,
            wanted.metrics,
            loss=loss,
            own=code.metrics,
            device=device,
            batch_size=wanted.batch_size,
        )
    except ValueError as error:
        raise unusable(code.task_file, error) from error
