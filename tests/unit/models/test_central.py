import numpy as np

from fluvial.edge.packages import Examples
from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.task_file import Limits, ModelSpec, TaskFile
from models.central import train_centrally
from models.evaluation.inference import Evaluator

TASK = TaskFile(
    task="toy",
    title="Toy",
    model=ModelSpec(architecture="logistic_regression", parameters={"inputs": 2, "classes": 2}),
    rounds=1,
    quorum=1,
    target=1,
    deadline_seconds=1.0,
    limits=Limits(max_abs=1.0, max_weight=1),
)


def test_the_central_model_learns_with_as_many_passes_as_the_rounds_make() -> None:
    inputs = np.random.default_rng(5).standard_normal((60, 2)).astype(np.float32)
    examples = Examples(inputs=inputs, targets=(inputs.sum(axis=1) > 0).astype(np.int64))
    training = {"epochs": 2, "batch_size": 10, "learning_rate": 0.5}
    code = TaskCode(TASK)
    one_round = train_centrally(code, examples, training, num_rounds=1, seed=0)
    five = train_centrally(code, examples, training, num_rounds=5, seed=0)
    evaluator = Evaluator(code.state(), examples, ["accuracy", "loss"], device="cpu")
    assert evaluator.measure(five)["loss"] < evaluator.measure(one_round)["loss"]
    assert evaluator.measure(five)["accuracy"] > 0.9
