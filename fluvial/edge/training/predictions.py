"""Batched inference of a torch module."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fluvial.edge.packages.examples import Examples
from fluvial.edge.training.batches import Batches, call
from fluvial.edge.training.surroundings import drawing_from, settings_kept

_SEED = 0
"""Of what a module draws while it predicts: whoever measures it again comes to the same."""


def predict(module: nn.Module, examples: Examples, *, device: str = "cpu", batch_size: int = 512) -> NDArray[Any]:
    """Predictions of all examples, a row each, batch by batch; float32, of a float64 module float64. The module is
    moved to the device. Raises ValueError for a module that does not return a tensor."""
    module.to(device).eval()
    batches = Batches(examples, module, device)
    outputs = []
    with drawing_from(_SEED, device), settings_kept(), torch.inference_mode():
        for first in range(0, len(batches), batch_size):
            found = call(module, batches.inputs(slice(first, first + batch_size)))
            if not isinstance(found, torch.Tensor):
                raise ValueError(f"the module returns {type(found).__name__}, not a tensor of predictions")
            wide = found if found.dtype == torch.float64 else found.float()
            outputs.append(wide.cpu().numpy())
    return np.concatenate(outputs)
