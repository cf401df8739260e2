import numpy as np

from fluvial.edge.training.config import TrainingConfig
from models.central import train_centrally
from models.datasets import Dataset
from models.evaluation.inference import Evaluator

PARAMETERS = {"inputs": 2, "classes": 2}


def test_the_central_model_learns_with_as_many_passes_as_the_rounds_make() -> None:
    inputs = np.random.default_rng(5).standard_normal((60, 2)).astype(np.float32)
    dataset = Dataset(inputs=inputs, targets=(inputs.sum(axis=1) > 0).astype(np.int64))
    config = TrainingConfig(epochs=2, batch_size=10, learning_rate=0.5)
    initial = np.zeros(6, np.float32)
    one_round = train_centrally("logistic_regression", PARAMETERS, initial, dataset, config, num_rounds=1, seed=0)
    five = train_centrally("logistic_regression", PARAMETERS, initial, dataset, config, num_rounds=5, seed=0)
    evaluator = Evaluator("logistic_regression", PARAMETERS, dataset.inputs, dataset.targets, ["accuracy", "loss"])
    assert evaluator.measure(five)["loss"] < evaluator.measure(one_round)["loss"]
    assert evaluator.measure(five)["accuracy"] > 0.9
