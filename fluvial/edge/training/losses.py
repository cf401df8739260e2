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

from fluvial.edge.metrics.classification import IGNORED

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def cross_entropy(predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy in nats."""
    return functional.cross_entropy(predictions.reshape(-1, predictions.shape[-1]), targets.reshape(-1).long())


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


def mean_of(loss: Loss, predictions: Any, targets: torch.Tensor) -> torch.Tensor:
    """The loss of a batch, 0-d. Raises ValueError for one that is none."""
    found: Any = loss(predictions, targets)
    if not isinstance(found, torch.Tensor):
        raise ValueError(f"the loss must give a tensor, the mean of its batch, not {type(found).__name__}")
    if found.numel() != 1:
        raise ValueError(f"the loss must give one value, the mean of its batch, not {list(found.shape)}")
    return found.reshape(())


def check_targets(loss: Loss, predictions: Any, targets: NDArray[Any]) -> None:
    """Raises ValueError where one of the built-in losses makes no sense of the targets of all examples, for what the
    module predicts of some: on a GPU torch would not say why, and end the process.
    """
    if loss not in LOSSES.values():
        return
    if not isinstance(predictions, torch.Tensor):
        raise ValueError(f"the module returns {type(predictions).__name__}, not a tensor of predictions")
    if loss is binary_cross_entropy and (targets.min() < 0 or targets.max() > 1):
        raise ValueError(f"targets are 0 or 1 for binary_cross_entropy, not {targets.min()} to {targets.max()}")
    if loss is not cross_entropy:
        return
    if predictions.ndim < 2:
        raise ValueError(
            f"the module predicts {list(predictions.shape)}: cross_entropy needs a logit for each class of an example; "
            "one logit is for binary_cross_entropy"
        )
    of_example, wanted = list(predictions.shape[1:-1]), list(targets.shape[1:])
    if wanted not in (of_example, [*of_example, 1]):
        raise ValueError(
            f"the module predicts {list(predictions.shape[1:])} of an example and its target has shape {wanted}: "
            f"cross_entropy needs the number of a class, of shape {of_example}"
        )
    if targets.dtype.kind == "f" and (targets % 1 != 0).any():
        raise ValueError("targets are no numbers of classes, which cross_entropy needs")
    counted = targets[targets != IGNORED]
    if counted.size and not 0 <= counted.min() <= counted.max() < predictions.shape[-1]:
        raise ValueError(
            f"targets are classes from {counted.min()} to {counted.max()}, but the model has "
            f"{predictions.shape[-1]} classes: they count from 0"
        )


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
