"""Losses by name, or a task's own. A loss takes predictions and targets of a batch and returns its mean, a 0-d tensor.

cross_entropy: logits [B, C] and classes [B], or [B, T, C] and [B, T], class -100 counting nowhere.
binary_cross_entropy: logits [B] or [B, 1] and targets 0 or 1. mean_squared_error, mean_absolute_error, huber: any
shape, that of the targets; huber is quadratic up to 1 (Huber, 1964, "Robust Estimation of a Location Parameter").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch.nn import functional

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def cross_entropy(predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy in nats."""
    if predictions.ndim > 2:
        predictions, targets = predictions.reshape(-1, predictions.shape[-1]), targets.reshape(-1)
    return functional.cross_entropy(predictions, targets.long())


def binary_cross_entropy(predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean binary cross-entropy in nats, of logits."""
    return functional.binary_cross_entropy_with_logits(*_alike(predictions, targets))


def mean_squared_error(predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean squared error."""
    return functional.mse_loss(*_alike(predictions, targets))


def mean_absolute_error(predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean absolute error."""
    return functional.l1_loss(*_alike(predictions, targets))


def huber(predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean Huber loss with delta 1."""
    return functional.huber_loss(*_alike(predictions, targets))


LOSSES: Mapping[str, Loss] = {
    loss.__name__: loss
    for loss in (cross_entropy, binary_cross_entropy, mean_squared_error, mean_absolute_error, huber)
}


def loss_of(wanted: str | Loss) -> Loss:
    """The loss of that name, or the task's own as it is. Raises ValueError for a name that there is not."""
    if not isinstance(wanted, str):
        return wanted
    if wanted not in LOSSES:
        raise ValueError(f"there is no loss {wanted!r}: {', '.join(LOSSES)}, or module:function of the task's package")
    return LOSSES[wanted]


def of_arrays(loss: Loss) -> Callable[[NDArray[Any], NDArray[Any]], float]:
    """The loss as a metric."""

    def metric(predictions: NDArray[Any], targets: NDArray[Any]) -> float:
        return float(loss(torch.from_numpy(predictions), torch.from_numpy(targets)))

    return metric


def _alike(predictions: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Both of one shape, a last dimension of 1 apart, and of the predictions' dtype. Raises ValueError: torch would
    broadcast [B, 1] against [B] to [B, B] with a warning at most."""
    if predictions.ndim == targets.ndim + 1 and predictions.shape[-1] == 1:
        predictions = predictions.squeeze(-1)
    if predictions.shape != targets.shape:
        raise ValueError(f"predictions have shape {list(predictions.shape)}, targets {list(targets.shape)}")
    return predictions, targets.to(predictions.dtype)
