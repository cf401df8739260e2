from typing import Any

import numpy as np
import pytest
import torch

from fluvial.edge.training.flat import layout_of
from fluvial.wire.layout import num_elements
from models.architectures import build, initial_state
from models.architectures.catalogue import ARCHITECTURES

EXAMPLES: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "convolutional": ({"image_size": 28, "classes": 10}, (1, 28, 28)),
    "logistic_regression": ({"inputs": 5, "classes": 2}, (5,)),
    "multilayer_perceptron": ({"inputs": 5, "classes": 3, "hidden": 4, "layers": 2}, (5,)),
}


def test_every_architecture_has_an_example() -> None:
    assert set(EXAMPLES) == set(ARCHITECTURES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_gives_logits_and_starts_the_same_from_a_seed(name: str) -> None:
    parameters, shape = EXAMPLES[name]
    module = build(name, parameters)
    assert module(torch.zeros(3, *shape)).shape == (3, parameters["classes"])
    state = initial_state(name, parameters, 1)
    assert state.dtype == np.float32
    assert state.size == num_elements(layout_of(module))
    assert state.tobytes() == initial_state(name, parameters, 1).tobytes()
    assert state.tobytes() != initial_state(name, parameters, 2).tobytes()


def test_a_seed_leaves_torch_as_it_was() -> None:
    before = torch.random.get_rng_state()
    initial_state("logistic_regression", {"inputs": 5, "classes": 2}, 1)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("transformer", {}),
        ("logistic_regression", {}),
        ("logistic_regression", {"inputs": 5, "classes": 2, "hidden": 3}),
        ("convolutional", {"image_size": 6, "classes": 10}),
        ("convolutional", {"image_size": 28, "classes": 10, "channels": 6}),
        ("convolutional", {"image_size": 28, "classes": 10, "mean": "1e-1"}),
        ("logistic_regression", {"inputs": "5", "classes": 2}),
        ("logistic_regression", {"inputs": 5, "classes": 2.0}),
        ("logistic_regression", {"inputs": -5, "classes": 2}),
    ],
)
def test_what_cannot_be_built_is_refused(name: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"unknown architecture|do not fit|too small|divisible|of type"):
        build(name, parameters)
