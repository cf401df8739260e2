"""Between a whole torch module and the flat float32 vector that travels, where nothing is said of what stays.

`fluvial.edge.training.module_state` says what travels and how. Shapes: D elements of it.
"""

from torch import nn

from fluvial.edge.training.module_state import ModuleState
from fluvial.edge.training.tensor_values import Vector
from fluvial.wire.records import TensorLayout


def layout_of(module: nn.Module) -> tuple[TensorLayout, ...]:
    """Names, shapes and dtypes of what travels. Raises ValueError for a module that cannot be federated."""
    return ModuleState(module).layout


def flatten(module: nn.Module) -> Vector:
    """float32[D] of what travels, in layout order, as a copy."""
    return ModuleState(module).flatten()


def unflatten(module: nn.Module, vector: Vector) -> None:
    """Set what travels from float32[D], on whatever device it lies. Raises ValueError for another length."""
    ModuleState(module).load(vector)
