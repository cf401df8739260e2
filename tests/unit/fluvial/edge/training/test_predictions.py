"""Predictions of a module as its users write them."""

import numpy as np
import pytest
import torch
from torch import nn

from fluvial.edge.packages import Examples
from fluvial.edge.training.predictions import predict

EXAMPLES = Examples(inputs=np.ones((5, 2), np.float32), targets=np.zeros(5, np.int64))


class Careless(nn.Linear):
    """Tells what it does, and leaves the process in another state."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        print("predicting")
        torch.set_default_dtype(torch.float64)
        return super().forward(inputs)


class Drawing(nn.Linear):
    """Drops out units while it predicts, to tell how sure it is."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(super().forward(inputs), training=True)


def test_a_module_that_draws_while_it_predicts_predicts_the_same_again() -> None:
    module = Drawing(2, 50)
    before = torch.random.get_rng_state()
    assert predict(module, EXAMPLES).tobytes() == predict(module, EXAMPLES).tobytes()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_all_examples_are_predicted_batch_by_batch_and_nothing_else_changes(capsys: pytest.CaptureFixture[str]) -> None:
    module = Careless(2, 3)
    found = predict(module, EXAMPLES, batch_size=2)
    assert (found.shape, found.dtype) == ((5, 3), np.float32)
    assert torch.get_default_dtype() == torch.float32
    assert capsys.readouterr() == ("", "predicting\n" * 3)


def test_what_is_no_tensor_is_refused() -> None:
    class Pair(nn.Linear):
        def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, int]:  # type: ignore[override]
            return super().forward(inputs), 1

    with pytest.raises(ValueError, match="the module returns tuple, not a tensor"):
        predict(Pair(2, 3), EXAMPLES)
