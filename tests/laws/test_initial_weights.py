"""What is known of an architecture without torch is what torch makes of it: layout, shapes, and each bit drawn."""

import platform
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from fluvial.edge.training.architectures import build, initial_state
from fluvial.edge.training.architectures.catalogue import layers_of
from fluvial.edge.training.architectures.catalogue import layout_of as known_layout_of
from fluvial.edge.training.architectures.layers import shape_after
from fluvial.edge.training.module_state import ModuleState

SEEDS = st.integers(-(2**63), 2**64 - 1)
TABLES = st.fixed_dictionaries({"inputs": st.integers(1, 300), "classes": st.integers(1, 12)})
PERCEPTRONS = st.fixed_dictionaries(
    {
        "inputs": st.integers(1, 40),
        "classes": st.integers(1, 12),
        "hidden": st.integers(1, 40),
        "layers": st.integers(0, 3),
    }
)
IMAGES = st.fixed_dictionaries(
    {
        "image_size": st.integers(9, 30),
        "classes": st.integers(1, 12),
        "channels": st.sampled_from([4, 8, 12]),
        "hidden": st.integers(1, 20),
    }
)
MODELS = st.one_of(
    st.tuples(st.just("logistic_regression"), TABLES),
    st.tuples(st.just("multilayer_perceptron"), PERCEPTRONS),
    st.tuples(st.just("convolutional"), IMAGES),
)
SHAPES = st.lists(st.integers(1, 30), max_size=3).map(tuple)

ROUNDS_TWICE = platform.machine() == "x86_64" and torch.backends.cpu.get_cpu_capability() == "DEFAULT"


@pytest.mark.skipif(ROUNDS_TWICE, reason="torch rounds twice where the processor cannot multiply and add in one step")
@given(MODELS, SEEDS)
def test_the_first_weights_are_torchs_own_to_the_bit(model: tuple[str, dict[str, Any]], seed: int) -> None:
    name, parameters = model
    torch.manual_seed(seed)
    assert initial_state(name, parameters, seed).tobytes() == ModuleState(build(name, parameters)).flatten().tobytes()


@given(MODELS, SEEDS)
def test_a_module_with_a_seed_has_the_weights_that_are_drawn_without_torch(
    model: tuple[str, dict[str, Any]], seed: int
) -> None:
    name, parameters = model
    module = build(name, parameters, seed)
    assert known_layout_of(layers_of(name, parameters)) == ModuleState(module).layout
    assert initial_state(name, parameters, seed).tobytes() == ModuleState(module).flatten().tobytes()


@given(MODELS, SHAPES)
@example(("logistic_regression", {"inputs": 2, "classes": 2}), ())
def test_shapes_fit_where_they_fit_the_module(model: tuple[str, dict[str, Any]], shape: tuple[int, ...]) -> None:
    name, parameters = model
    layers, module = layers_of(name, parameters), build(name, parameters)
    right = (1, *(parameters["image_size"],) * 2) if name == "convolutional" else (parameters["inputs"],)
    for given_shape in (right, shape):
        try:
            predicted = shape_after(layers, given_shape)
        except ValueError:
            assert given_shape == shape
            assert _outcome(module, given_shape) is None
        else:
            assert _outcome(module, given_shape) == predicted


def _outcome(module: Any, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Of some examples of this shape; None where the module refuses them. Single numbers are more than a layer here is
    wide, or it would take all of them for one row."""
    count = 2 if shape else 301
    try:
        with torch.inference_mode():
            found = module(torch.from_numpy(np.zeros((count, *shape), np.float32)))
    except RuntimeError:
        return None
    assert len(found) == count
    return tuple(found.shape[1:])
