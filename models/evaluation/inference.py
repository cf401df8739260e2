"""Batched inference of a torch module, on the device that the configuration chooses."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fluvial.edge.training.flat import unflatten
from models.architectures import build
from models.evaluation.metrics import measure


def choose_device(name: str) -> str:
    """ "cpu" or "cuda"; "auto" is CUDA where there is one. Raises ValueError for another name, or CUDA that is not
    there."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu or cuda, got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda was asked for, but torch finds none")
    return name


def predict(
    module: nn.Module, inputs: NDArray[np.float32], *, device: str = "cpu", batch_size: int = 512
) -> NDArray[np.float32]:
    """Logits float32[B, C] of inputs float32[B, ...], batch by batch. The module is moved to the device."""
    module.to(device).eval()
    outputs = []
    with torch.inference_mode():
        for first in range(0, len(inputs), batch_size):
            batch = torch.from_numpy(inputs[first : first + batch_size]).to(device)
            outputs.append(module(batch).float().cpu().numpy())
    return np.concatenate(outputs) if outputs else np.zeros((0, 0), np.float32)


class Evaluator:
    """Measures models of one task on one evaluation set; the module is built once."""

    def __init__(
        self,
        architecture: str,
        parameters: Mapping[str, Any],
        inputs: NDArray[np.float32],
        targets: NDArray[np.int64],
        metrics: Sequence[str],
        *,
        device: str = "auto",
        batch_size: int = 512,
    ) -> None:
        """Raises ValueError as `build` and `choose_device` do."""
        self.device = choose_device(device)
        self._module = build(architecture, parameters)
        self._inputs, self._targets, self._metrics = inputs, targets, tuple(metrics)
        self._batch_size = batch_size

    @property
    def num_examples(self) -> int:
        """Examples of the evaluation set."""
        return len(self._targets)

    def measure(self, model: NDArray[np.float32]) -> dict[str, float]:
        """Metrics of the flat model float32[D]. Raises ValueError if it does not fit the architecture."""
        unflatten(self._module, model)
        logits = predict(self._module, self._inputs, device=self.device, batch_size=self._batch_size)
        return measure(logits, self._targets, self._metrics)
