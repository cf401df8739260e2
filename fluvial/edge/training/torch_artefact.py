"""An artefact that torch runs: the state of the task's module in the type that it computes in, as a safetensors file.

It holds numbers alone. The module that they belong to is the task's own, made where the artefact is run as evaluation
makes it: by a built-in architecture, or by the package that the task pins and that this process has allowed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import nn

from fluvial.edge.artefact_kinds import COMPUTES_IN, INPUTS, TORCH_FORMAT
from fluvial.edge.safetensors import Stored, file_of, metadata_of
from fluvial.edge.training.weights import dtype_name, read_tensors

PRECISIONS: Mapping[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def pack(module: nn.Module, example: torch.Tensor, precision: str) -> bytes:
    """The artefact of a module, which is not changed. example: float32[B, ...]. Raises ValueError for weights beyond
    the type's range, a state that holds more than tensors, and a module that cannot compute in this type."""
    cast = in_precision(deepcopy(module), precision)
    try:
        with torch.inference_mode():
            outputs = cast(example.to(PRECISIONS[precision]))
    except Exception as error:  # whatever torch and the module make of a type that they were not written for
        raise ValueError(f"the model cannot compute in {precision}: {error}") from error
    if not isinstance(outputs, torch.Tensor):
        raise ValueError(f"the module returns {type(outputs).__name__}, not a tensor of predictions")
    before = module.state_dict()
    for name, tensor in cast.state_dict().items():
        if not isinstance(tensor, torch.Tensor):
            raise ValueError(f"the module's state holds {name}, which is no tensor")
        if tensor.is_floating_point() and not torch.equal(torch.isfinite(tensor), torch.isfinite(before[name])):
            raise ValueError(f"the tensor {name} has values beyond the range of {precision}")
    tensors = [
        Stored(name, dtype_name(tensor.dtype), tuple(tensor.shape), _bytes_of(tensor))
        for name, tensor in cast.state_dict().items()
    ]
    shape = json.dumps(list(example.shape[1:]))
    return file_of(tensors, {"format": TORCH_FORMAT, COMPUTES_IN: precision, INPUTS: shape})


def in_precision(module: nn.Module, precision: str) -> nn.Module:
    """The same module, in evaluation mode, with its floating-point tensors in this type."""
    return module.eval().requires_grad_(False).to(PRECISIONS[precision])


def unpack(artefact: bytes, module: nn.Module) -> tuple[nn.Module, str, tuple[int, ...]]:
    """The module with the artefact's numbers, the type that it computes in, and the shape of one input. Raises
    ValueError for bytes that are no such artefact, and for one of another module."""
    metadata = metadata_of(artefact)
    precision = metadata.get(COMPUTES_IN, "")
    try:
        shape = tuple(int(size) for size in json.loads(metadata.get(INPUTS, "")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"the artefact does not say what inputs it takes: {error}") from error
    if metadata.get("format") != TORCH_FORMAT or precision not in PRECISIONS:
        raise ValueError(f"the artefact is none that torch runs: format {metadata.get('format')!r}, {precision!r}")
    tensors = read_tensors(artefact, "the artefact")
    state = in_precision(module, precision).state_dict()
    if tensors.keys() != state.keys():
        raise ValueError(f"the artefact and the task's module differ in {sorted(tensors.keys() ^ state.keys())}"[:300])
    for name, tensor in tensors.items():
        if (tensor.shape, tensor.dtype) != (state[name].shape, state[name].dtype):
            raise ValueError(
                f"the artefact has {name} as {tensor.dtype}{list(tensor.shape)}, the task's module as "
                f"{state[name].dtype}{list(state[name].shape)}"
            )
        state[name].copy_(tensor)
    return module, precision, shape


def _bytes_of(tensor: torch.Tensor) -> bytes:
    plain = tensor.detach().cpu().contiguous().reshape(-1)
    return plain.view(torch.uint8).numpy().tobytes() if plain.numel() else b""
