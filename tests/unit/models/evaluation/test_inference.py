import numpy as np
import pytest
import torch
from torch import nn

from fluvial.edge.packages import Examples
from fluvial.edge.training.architectures import build
from fluvial.edge.training.device import choose_device
from fluvial.edge.training.module_state import ModuleState
from fluvial.edge.training.predictions import predict
from models.evaluation.inference import Evaluator

PARAMETERS = {"inputs": 2, "classes": 2}
INPUTS = np.array([[1, 0], [0, 1], [3, 1]], np.float32)
TARGETS = np.array([0, 1, 1])
IDENTITY = np.array([1, 0, 0, 1, 0, 0], np.float32)


def state() -> ModuleState:
    return ModuleState(build("logistic_regression", PARAMETERS))


def test_batches_make_no_difference() -> None:
    module, examples = build("logistic_regression", PARAMETERS), Examples(inputs=INPUTS, targets=TARGETS)
    whole = predict(module, examples)
    np.testing.assert_allclose(predict(module, examples, batch_size=2), whole, rtol=1e-6)
    assert whole.shape == (3, 2)


def test_each_model_is_measured_on_the_evaluation_set() -> None:
    evaluator = Evaluator(state(), Examples(inputs=INPUTS, targets=TARGETS), ["accuracy"], device="cpu")
    assert evaluator.num_examples == 3
    assert evaluator.measure(IDENTITY) == {"accuracy": 2 / 3}
    assert evaluator.measure(-IDENTITY) == {"accuracy": 1 / 3}
    with pytest.raises(ValueError, match="6 elements"):
        evaluator.measure(IDENTITY[:5])


def test_groups_are_measured_each_with_its_number_of_examples() -> None:
    sites = np.array([0, 1, 1]), ("north", "south", "empty")
    examples = Examples(inputs=INPUTS, targets=TARGETS, groups={"site": sites})
    measured = Evaluator(state(), examples, ["accuracy", "auc"], device="cpu").measure_with_groups(IDENTITY)
    assert measured.metrics["accuracy"] == 2 / 3
    found = {(group.attribute, group.group): (group.num_examples, dict(group.metrics)) for group in measured.groups}
    assert found == {("site", "north"): (1, {"accuracy": 1.0}), ("site", "south"): (2, {"accuracy": 0.5})}
    assert all("both classes" in group.reason for group in measured.groups)


def test_losses_and_metrics_of_the_tasks_own_are_measured() -> None:
    examples = Examples(inputs=INPUTS, targets=TARGETS)
    evaluator = Evaluator(
        state(),
        examples,
        ["loss", "mine.metrics:largest"],
        loss=lambda predictions, targets: (predictions.argmax(1) != targets).float().mean() + 5,
        own={"mine.metrics:largest": lambda predictions, targets: float(predictions.max())},
        device="cpu",
    )
    assert evaluator.measure(IDENTITY) == {"loss": pytest.approx(5 + 1 / 3), "largest": 3.0}


def test_several_inputs_go_to_the_module_by_position_and_by_name() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(4, 2)

        def forward(self, category: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.table(category) + amount
            return found

    category, amount = np.array([0, 3, 1]), np.zeros((3, 2))
    by_position = predict(Sum(), Examples(inputs=(category, amount), targets=TARGETS))
    assert by_position.shape == (3, 2)
    module = Sum()
    first = predict(module, Examples(inputs=(category, amount), targets=TARGETS))
    named = predict(module, Examples(inputs={"amount": amount, "category": category}, targets=TARGETS))
    assert first.tobytes() == named.tobytes()


@pytest.mark.parametrize(
    ("inputs", "targets", "metrics", "why"),
    [
        (np.ones((3, 5), np.float32), [0, 1, 1], ["accuracy"], r"inputs of shape \[5\] \(float32\), .* do not fit"),
        (INPUTS, [0, 1, 2], ["accuracy"], "from 0 to 2, but the model has 2 classes"),
        (INPUTS, [0, 1, -1], ["accuracy"], "from -1"),
        (INPUTS, [1, 1, 1], ["auc"], "both classes"),
        (INPUTS[:0], [], ["accuracy"], "yields nothing"),
        (INPUTS * np.float32("nan"), [0, 1, 1], ["accuracy"], "not all finite"),
    ],
)
def test_an_evaluation_set_that_does_not_fit_is_refused_before_there_is_a_model(
    inputs: np.ndarray, targets: list[int], metrics: list[str], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        Evaluator(state(), Examples.of((inputs, np.array(targets, np.int64))), metrics, device="cpu")


def test_the_device_is_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert (choose_device("auto"), choose_device("cpu"), choose_device("cuda")) == ("cuda", "cpu", "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    with pytest.raises(ValueError, match="finds none"):
        choose_device("cuda")
    with pytest.raises(ValueError, match="must be auto"):
        choose_device("tpu")
