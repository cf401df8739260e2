import numpy as np
import pytest
import torch

from fluvial.edge.metrics.measure import LOSSES as OF_ARRAYS
from fluvial.edge.training.losses import LOSSES, loss_of
from fluvial.wire import task_code

RANDOM = np.random.default_rng(4)
CASES = {
    "cross_entropy": (RANDOM.normal(size=(9, 4)), RANDOM.integers(0, 4, 9)),
    "binary_cross_entropy": (RANDOM.normal(size=(9, 1)) * 30, RANDOM.integers(0, 2, 9)),
    "mean_squared_error": (RANDOM.normal(size=(9, 3)), RANDOM.normal(size=(9, 3))),
    "mean_absolute_error": (RANDOM.normal(size=(9, 1)), RANDOM.normal(size=9)),
    "huber": (RANDOM.normal(size=9) * 3, RANDOM.normal(size=9)),
}


@pytest.mark.parametrize("name", task_code.LOSSES)
def test_what_is_trained_on_is_what_is_measured(name: str) -> None:
    predictions, targets = CASES[name]
    trained = loss_of(name)(torch.from_numpy(predictions), torch.from_numpy(targets))
    assert trained.ndim == 0
    assert float(trained) == pytest.approx(OF_ARRAYS[name](predictions, targets), rel=1e-9)


def test_a_task_file_knows_the_losses_that_there_are() -> None:
    assert set(LOSSES) == set(OF_ARRAYS) == set(task_code.LOSSES)


def test_tokens_that_do_not_count_make_no_difference() -> None:
    random = np.random.default_rng(5)
    logits, targets = torch.from_numpy(random.normal(size=(2, 3, 5))), torch.tensor([[1, 4, -100], [0, -100, 2]])
    counted = [(0, 0), (0, 1), (1, 0), (1, 2)]
    rows = torch.stack([logits[place] for place in counted])
    expected = loss_of("cross_entropy")(rows, torch.tensor([1, 4, 0, 2]))
    assert float(loss_of("cross_entropy")(logits, targets)) == pytest.approx(float(expected))
    assert OF_ARRAYS["cross_entropy"](logits.numpy(), targets.numpy()) == pytest.approx(float(expected))


def test_shapes_that_torch_would_broadcast_are_refused() -> None:
    with pytest.raises(ValueError, match=r"predictions have shape \[3, 2\], targets \[3\]"):
        loss_of("mean_squared_error")(torch.zeros(3, 2), torch.zeros(3))


def test_an_unknown_loss_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="no loss 'hinge': cross_entropy"):
        loss_of("hinge")
