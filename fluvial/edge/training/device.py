"""Where tensors are computed on."""

from itertools import chain

import torch
from torch import nn

from fluvial.inference.processor import check_device


def choose_device(name: str) -> str:
    """ "cpu" or "cuda"; "auto" is CUDA where there is one. Raises ValueError for another name, or CUDA that is not
    there."""
    check_device(name)
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda was asked for, but torch finds none: ask for cpu, or install torch with CUDA")
    return name


def placed(module: nn.Module, device: str) -> nn.Module:
    """The module on the device; where all of it is on the processor already, without the time that moving it takes."""
    if device == "cpu" and all(tensor.is_cpu for tensor in chain(module.parameters(), module.buffers())):
        return module
    return module.to(device)
