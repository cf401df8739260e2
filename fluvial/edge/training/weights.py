"""Weights of a safetensors file, put into a module. Only numbers are read, and nothing is unpickled."""

from __future__ import annotations

import torch
from torch import nn

from fluvial.edge.safetensors import Stored, stored_in

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def dtype_name(dtype: torch.dtype) -> str:
    """What safetensors files call it. Raises ValueError for a type that they do not have."""
    for name, known in _DTYPES.items():
        if known == dtype:
            return name
    raise ValueError(f"tensors of {dtype} have no place in a safetensors file")


def load_weights(module: nn.Module, content: bytes, called: str) -> None:
    """Set the tensors that the file has; others stay as they are (an adapter over a base whose weights these are).

    called: the file, for messages. Raises ValueError for what is no such file, and for tensors that the module does not
    have in that shape.
    """
    state = module.state_dict()
    tensors = read_tensors(content, called)
    if not tensors:
        raise ValueError(f"{called} has no weights")
    for name, tensor in tensors.items():
        if name not in state:
            raise ValueError(f"{called} has a tensor {name}, and the module's state does not: {', '.join(state):.300}")
        if state[name].shape != tensor.shape:
            raise ValueError(
                f"{called} has {name} in shape {list(tensor.shape)}, the module in {list(state[name].shape)}"
            )
    with torch.no_grad():
        for name, tensor in tensors.items():
            state[name].copy_(tensor)


def read_tensors(content: bytes, called: str) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file by name, copies. Raises ValueError."""
    try:
        return {stored.name: _tensor(stored) for stored in stored_in(content)}
    except ValueError as error:
        raise ValueError(f"{called} is no safetensors file: {error}") from error


def _tensor(stored: Stored) -> torch.Tensor:
    if stored.dtype not in _DTYPES:
        raise ValueError(f"tensor {stored.name} is of type {stored.dtype}, which no module has")
    dtype = _DTYPES[stored.dtype]
    if not stored.data:  # which torch takes from no buffer
        return torch.zeros(stored.shape, dtype=dtype)
    return torch.frombuffer(bytearray(stored.data), dtype=dtype).reshape(stored.shape)
