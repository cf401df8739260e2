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
        """Raises ValueError as `build` and `choose_device` do, and for examples that do not fit the architecture."""
        self.device = choose_device(device)
        self._module = build(architecture, parameters)
        self._inputs, self._targets, self._metrics = inputs, targets, tuple(metrics)
        self._batch_size = batch_size
        if not np.isfinite(inputs).all():
            raise ValueError("the inputs of the evaluation set are not all finite")
        self._check_fit(architecture)

    @property
    def num_examples(self) -> int:
        """Examples of the evaluation set."""
        return len(self._targets)

    def measure(self, model: NDArray[np.float32]) -> dict[str, float]:
        """Metrics of the flat model float32[D]. Raises ValueError if it does not fit the architecture, or if a metric
        is not finite."""
        unflatten(self._module, model)
        logits = predict(self._module, self._inputs, device=self.device, batch_size=self._batch_size)
        return measure(logits, self._targets, self._metrics)

    def _check_fit(self, architecture: str) -> None:
        """Whether shapes, classes and metrics fit does not depend on the weights: those that the module has will do."""
        try:
            logits = predict(self._module, self._inputs[:1], device=self.device)
        except Exception as error:  # whatever torch and the module make of shapes and parameters that they cannot use
            shape = list(self._inputs.shape[1:])
            raise ValueError(f"inputs of shape {shape} do not fit the architecture {architecture}: {error}") from error
        if logits.ndim != 2:
            raise ValueError(f"the architecture {architecture} predicts {list(logits.shape)}, not one row of classes")
        measure(np.zeros((len(self._inputs), logits.shape[1]), np.float32), self._targets, self._metrics)
