"""Updates beyond their round's limits, told before the gate refuses them."""

from dataclasses import replace

import numpy as np
import pytest

from fluvial.cli.participate import as_dict, as_line
from fluvial.edge.events import TooLarge
from fluvial.edge.too_large import excess
from fluvial.encoding.limits import largest_norm
from fluvial.wire.records import Round, TensorLayout
from tests.unit.fluvial.edge.world import World

LAYOUT = (
    TensorLayout(name="layer.weight", shape=(2, 2), dtype="float32"),
    TensorLayout(name="empty", shape=(0,), dtype="float32"),
    TensorLayout(name="norm.running_var", shape=(3,), dtype="float32"),
)


def a_round(world: World, **limits: float) -> Round:
    return replace(world.a_round(), layout=LAYOUT, num_elements=7, **{"max_abs": 8.0, "max_norm": 0.0, **limits})


def test_the_tensor_that_has_the_most_is_named(world: World) -> None:
    delta = np.array([0, -1, 2, 3, 1, -40, 1], np.float32)
    found = excess(delta, a_round(world))
    assert found is not None
    assert (found.tensor, found.value, found.limit, found.most) == ("norm.running_var", 40.0, "limits.max_abs", 8.0)
    found = excess(delta[::-1].copy(), a_round(world, max_abs=50.0, max_norm=10.0))
    assert found is not None
    assert (found.tensor, found.limit) == ("layer.weight", "limits.max_norm")
    assert found.value == pytest.approx(float(np.linalg.norm(delta)))
    event = TooLarge(round=a_round(world), excess=found)
    assert "its L2 norm is 40.2, most of it in layer.weight, and limits.max_norm is 10;" in as_line(event)
    assert as_dict(event)["tensor"] == "layer.weight"


def test_what_the_gate_takes_is_not_too_large(world: World) -> None:
    delta = np.full(7, 0.1, np.float32)
    norm = float(np.linalg.norm(delta.astype(np.float64)))
    assert excess(delta, a_round(world, max_abs=0.1, max_norm=norm)) is None
    assert excess(delta, a_round(world, max_abs=0.1, max_norm=0.0)) is None
    assert excess(delta * np.float32(1.0001), a_round(world, max_abs=0.1)) is not None
    assert excess(delta, a_round(world, max_norm=norm / largest_norm(1.001))) is not None
