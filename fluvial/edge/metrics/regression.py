"""Metrics of a regression, in float64. Shapes: predictions and targets alike, [B] or [B, K] for K outputs; a last
dimension of 1 makes no difference."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]


def mae(predictions: Values, targets: Values) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(_errors(predictions, targets))))


def mse(predictions: Values, targets: Values) -> float:
    """Mean squared error."""
    return float(np.mean(np.square(_errors(predictions, targets))))


def rmse(predictions: Values, targets: Values) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(mse(predictions, targets)))


def huber(predictions: Values, targets: Values) -> float:
    """Mean Huber loss with delta 1."""
    errors = np.abs(_errors(predictions, targets))
    return float(np.mean(np.where(errors < 1, 0.5 * errors * errors, errors - 0.5)))


def r2(predictions: Values, targets: Values) -> float:
    """1 - sum of squared errors / sum of squared distances from the mean, the mean of it over outputs.

    Raises ValueError where the targets of an output are all alike: there is nothing to explain.
    """
    errors = _errors(predictions, targets).reshape(len(targets), -1)
    wide = targets.astype(np.float64).reshape(len(targets), -1)
    spread = np.square(wide - wide.mean(axis=0)).sum(axis=0)
    if (spread == 0).any():
        raise ValueError("r2 needs targets that differ")
    return float(np.mean(1 - np.square(errors).sum(axis=0) / spread))


def binary_cross_entropy(predictions: Values, targets: Values) -> float:
    """Mean binary cross-entropy in nats of logits, without overflow."""
    logits, wanted = _alike(predictions, targets)
    return float(np.mean(np.maximum(logits, 0) - logits * wanted + np.log1p(np.exp(-np.abs(logits)))))


def _errors(predictions: Values, targets: Values) -> NDArray[np.float64]:
    found, wanted = _alike(predictions, targets)
    return found - wanted


def _alike(predictions: Values, targets: Values) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if predictions.ndim == targets.ndim + 1 and predictions.shape[-1] == 1:
        predictions = predictions[..., 0]
    if predictions.shape != targets.shape:
        raise ValueError(f"predictions have shape {list(predictions.shape)}, targets {list(targets.shape)}")
    return predictions.astype(np.float64), targets.astype(np.float64)
