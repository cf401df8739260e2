"""A published model in the formats that others run: what travelled, put into the task's own module.

Whole modules: what stays with participants (personal layers) is as the builder made it, and so is what is frozen.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fluvial.edge.packages.examples import Examples
from fluvial.edge.training.batches import Batches
from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.records import TensorLayout

_EXAMPLES = 2  # of one, an exporter would take the number of examples for a constant


def module_with(code: TaskCode, model_D: NDArray[np.float32], layout: tuple[TensorLayout, ...]) -> nn.Module:
    """The task's module with a published model's values, in evaluation mode. Raises ValueError for a task whose module
    does not fit the layout, or cannot be made."""
    state = code.state()
    state.check_fits(layout)
    state.load(model_D)
    return state.module.eval()


def to_torch(module: nn.Module) -> bytes:
    """The module's state as `torch.load(file, weights_only=True)` reads it, on the processor, for
    `module.load_state_dict`."""
    buffer = io.BytesIO()
    state = {name: value.detach().cpu() for name, value in module.state_dict().items() if torch.is_tensor(value)}
    torch.save(state, buffer)
    return buffer.getvalue()


def to_onnx(module: nn.Module, examples: Examples) -> bytes:
    """The module as an ONNX model, for any number of examples like these. Raises ValueError for a module that cannot be
    exported, and where onnx is not installed."""
    try:
        from fluvial.edge.training.onnx_export import export, to_bytes
    except ModuleNotFoundError as error:
        if error.name not in ("onnx", "onnxscript"):
            raise
        raise ValueError(f"{error.name} is not installed: pip install 'fluvial[onnx]'") from error
    first = np.arange(len(examples)) < _EXAMPLES
    return to_bytes(export(module, Batches(examples.chosen(first), module).inputs(slice(None))))


def some_examples(code: TaskCode, data: Path | None, index: int) -> Examples:
    """Examples whose shapes say what the module takes: of the task's evaluation set, otherwise a participant's own.

    Raises ValueError where there are none, or fewer than two."""
    examples = code.evaluation_examples() if data is None else code.participant_examples(data, index)
    if examples is None:
        raise ValueError(
            "what the module takes is known from examples, and the task has no evaluation set: name the data of a "
            "participant with --data (and --index)"
        )
    if len(examples) < _EXAMPLES:
        raise ValueError(f"{len(examples)} example: at least {_EXAMPLES} are needed to see what the module takes")
    return examples
