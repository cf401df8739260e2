import numpy as np
import pytest
import torch

from models.architectures import build
from models.evaluation.inference import Evaluator, choose_device, predict

PARAMETERS = {"inputs": 2, "classes": 2}
INPUTS = np.array([[1, 0], [0, 1], [3, 1]], np.float32)
IDENTITY = np.array([1, 0, 0, 1, 0, 0], np.float32)


def test_batches_make_no_difference() -> None:
    module = build("logistic_regression", PARAMETERS)
    whole = predict(module, INPUTS)
    np.testing.assert_allclose(predict(module, INPUTS, batch_size=2), whole, rtol=1e-6)
    assert whole.shape == (3, 2)


def test_each_model_is_measured_on_the_evaluation_set() -> None:
    targets = np.array([0, 1, 1])
    evaluator = Evaluator("logistic_regression", PARAMETERS, INPUTS, targets, ["accuracy"], device="cpu")
    assert evaluator.num_examples == 3
    assert evaluator.measure(IDENTITY) == {"accuracy": 2 / 3}
    assert evaluator.measure(-IDENTITY) == {"accuracy": 1 / 3}
    with pytest.raises(ValueError, match="6 elements"):
        evaluator.measure(IDENTITY[:5])


@pytest.mark.parametrize(
    ("inputs", "targets", "metrics", "why"),
    [
        (np.ones((3, 5), np.float32), [0, 1, 1], ["accuracy"], r"inputs of shape \[5\] do not fit"),
        (INPUTS, [0, 1, 2], ["accuracy"], "from 0 to 2, but the model has 2 classes"),
        (INPUTS, [0, 1, -1], ["accuracy"], "from -1"),
        (INPUTS, [1, 1, 1], ["auc"], "both classes"),
        (INPUTS[:0], [], ["accuracy"], "0 predictions"),
        (INPUTS * np.float32("nan"), [0, 1, 1], ["accuracy"], "not all finite"),
    ],
)
def test_an_evaluation_set_that_does_not_fit_is_refused_before_there_is_a_model(
    inputs: np.ndarray, targets: list[int], metrics: list[str], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        Evaluator("logistic_regression", PARAMETERS, inputs, np.array(targets, np.int64), metrics, device="cpu")


def test_the_device_is_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert (choose_device("auto"), choose_device("cpu"), choose_device("cuda")) == ("cuda", "cpu", "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    with pytest.raises(ValueError, match="finds none"):
        choose_device("cuda")
    with pytest.raises(ValueError, match="must be auto"):
        choose_device("tpu")
