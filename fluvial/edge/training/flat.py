"""Between a torch module and the flat float32 vector that travels: its state's tensors in order, row-major,
concatenated.

The state is parameters and buffers, all of them float32. Shapes: D elements of the whole model.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fluvial.wire.records import TensorLayout

Vector = NDArray[np.float32]


def layout_of(module: nn.Module) -> tuple[TensorLayout, ...]:
    """Names and shapes of the module's state. Raises ValueError for a tensor that is not float32."""
    for name, tensor in module.state_dict().items():
        if tensor.dtype != torch.float32:
            raise ValueError(f"tensor {name} is {tensor.dtype}; only float32 state can be federated")
    return tuple(TensorLayout(name=name, shape=tuple(tensor.shape)) for name, tensor in module.state_dict().items())


def flatten(module: nn.Module) -> Vector:
    """float32[D] of the module's state, in layout order, as a copy."""
    parts = [tensor.detach().cpu().reshape(-1).numpy() for tensor in module.state_dict().values()]
    return np.concatenate(parts).astype(np.float32, copy=False) if parts else np.zeros(0, np.float32)


def unflatten(module: nn.Module, vector: Vector) -> None:
    """Set the module's state from float32[D], on whatever device it lies. Raises ValueError for another length."""
    state = module.state_dict()
    size = sum(tensor.numel() for tensor in state.values())
    if vector.shape != (size,):
        raise ValueError(f"vector has shape {list(vector.shape)}, the module's state has {size} elements")
    source = torch.from_numpy(np.array(vector, np.float32))
    first = 0
    with torch.no_grad():
        for tensor in state.values():
            tensor.copy_(source[first : first + tensor.numel()].view(tensor.shape))
            first += tensor.numel()
