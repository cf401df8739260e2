from hashlib import sha256
from typing import Any

import numpy as np
import pytest
import torch

from fluvial.edge.training.architectures import build, catalogue, initial_state
from fluvial.edge.training.architectures.catalogue import ARCHITECTURES
from fluvial.edge.training.module_state import ModuleState
from fluvial.wire.layout import num_elements

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
    assert state.size == num_elements(ModuleState(module).layout)
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


def test_a_model_larger_than_the_memory_is_refused_with_its_size_before_anything_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parameters = {"inputs": 50_000_000, "classes": 100}
    monkeypatch.setattr(catalogue, "memory_bytes", lambda: 39_000_000_000)
    for make in (initial_state, build):
        with pytest.raises(ValueError, match=r"5,000,000,100 elements takes 20.0 GB, .* has 39.0 GB of memory"):
            make("logistic_regression", parameters, 1)
    monkeypatch.setattr(catalogue, "memory_bytes", lambda: 0)  # a system that does not say
    with pytest.raises(ValueError, match="which cannot be had here"):
        initial_state("logistic_regression", {"inputs": 2**61, "classes": 100}, 1)


@pytest.mark.parametrize(
    ("name", "parameters", "digest"),
    [
        (
            "logistic_regression",
            {"inputs": 22, "classes": 2},
            "c8b55da2d8952b92acf226804ae4eb3bfe6640f96c12649224153131406c4308",
        ),
        (
            "convolutional",
            {"image_size": 28, "classes": 10},
            "a8014d71b172cf2e666ed57ecade1db74f6078275128cd687b536ddcd10cdfaf",
        ),
    ],
)
def test_first_weights_are_the_same_on_every_machine_and_for_ever(
    name: str, parameters: dict[str, Any], digest: str
) -> None:
    """Who replays a task draws its version 0 again."""
    assert sha256(initial_state(name, parameters, 7).tobytes()).hexdigest() == digest


def test_a_module_is_built_from_its_seed_whatever_torch_draws() -> None:
    parameters = {"inputs": 5, "classes": 2}
    torch.manual_seed(3)
    of_seed = ModuleState(build("logistic_regression", parameters, 1)).flatten()
    assert of_seed.tobytes() == initial_state("logistic_regression", parameters, 1).tobytes()
    assert of_seed.tobytes() != ModuleState(build("logistic_regression", parameters)).flatten().tobytes()


def test_sizes_that_no_memory_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="memory"):
        initial_state("logistic_regression", {"inputs": 2**45, "classes": 2}, 1)
