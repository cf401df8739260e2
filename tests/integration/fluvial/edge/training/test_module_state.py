"""Modules that torch compiles or wraps, which takes it seconds."""

import torch
from torch import nn

from fluvial.edge.training.module_state import ModuleState


def test_a_module_of_torchscript_or_one_that_is_wrapped_travels() -> None:
    plain = nn.Linear(2, 2)
    wrapped = nn.DataParallel(nn.Linear(2, 2))
    compiled = torch.compile(nn.Linear(2, 2), backend="eager")
    for module in (wrapped, compiled):
        assert isinstance(module, nn.Module)
        state = ModuleState(module)
        state.load(ModuleState(plain).flatten())
        assert state.flatten().tobytes() == ModuleState(plain).flatten().tobytes()
