import numpy as np
import pytest
from torch import nn

from fluvial.edge.training.flat import flatten, layout_of, unflatten


def test_layout_and_vector_follow_the_state() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    assert [(tensor.name, tensor.shape) for tensor in layout_of(module)] == [
        ("0.weight", (3, 2)),
        ("0.bias", (3,)),
        ("2.weight", (1, 3)),
        ("2.bias", (1,)),
    ]
    vector = np.arange(13, dtype=np.float32)
    unflatten(module, vector)
    assert flatten(module).tolist() == vector.tolist()
    assert module.state_dict()["0.weight"].tolist() == [[0, 1], [2, 3], [4, 5]]


def test_the_vector_is_a_copy_and_is_left_alone() -> None:
    module = nn.Linear(1, 1)
    vector = flatten(module)
    before = vector.copy()
    unflatten(module, np.zeros(2, np.float32))
    assert vector.tolist() == before.tolist()


def test_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="state has 2 elements in 2 tensors"):
        unflatten(nn.Linear(1, 1), np.zeros(3, np.float32))
