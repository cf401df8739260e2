"""Metrics of a classifier, from its logits. Shapes: B examples, C classes; logits [B, C], or [B] and [B, 1] of two
classes, positive for class 1; or [B, T, C] of tokens. Targets int64[B] or [B, T], of which -100 counts nowhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Predictions = NDArray[np.floating[Any]]
Targets = NDArray[Any]

IGNORED = -100


def accuracy(predictions: Predictions, targets: Targets) -> float:
    """Share of examples whose largest logit is their class's; of equal logits the first counts."""
    logits, classes = rows(predictions, targets)
    return float(np.mean(logits.argmax(axis=1) == classes))


def auc(predictions: Predictions, targets: Targets) -> float:
    """Area under the ROC curve for two classes: P(score of a positive > score of a negative), ties count half.

    The score is logit 1 minus logit 0. Source: Hanley and McNeil, 1982. Raises ValueError unless there are two classes
    and examples of both, and for logits that are infinite together, which have no order.
    """
    logits, classes = rows(predictions, targets)
    if logits.shape[1] != 2:
        raise ValueError(f"auc is for two classes, got {logits.shape[1]}")
    scores = logits[:, 1].astype(np.float64) - logits[:, 0]
    if np.isnan(scores).any():
        raise ValueError("auc needs logits whose difference is a number, and some are infinite together")
    positive, negative = scores[classes == 1], np.sort(scores[classes == 0])
    if not positive.size or not negative.size:
        raise ValueError(f"auc needs examples of both classes, and all {len(classes)} are of class {int(classes[0])}")
    below = np.searchsorted(negative, positive, side="left")
    not_above = np.searchsorted(negative, positive, side="right")
    return float((below + not_above).sum() / (2 * positive.size * negative.size))


def macro_f1(predictions: Predictions, targets: Targets) -> float:
    """Mean over the classes that occur, in targets or predictions, of their harmonic mean of precision and recall."""
    logits, classes = rows(predictions, targets)
    predicted, values = logits.argmax(axis=1), []
    for one in np.union1d(predicted, classes):
        right = np.count_nonzero((predicted == one) & (classes == one))
        values.append(2 * right / (np.count_nonzero(predicted == one) + np.count_nonzero(classes == one)))
    return float(np.mean(values))


def recall(predictions: Predictions, targets: Targets) -> dict[str, float]:
    """By class that the targets have, the share of its examples that are recognised; the keys are its number."""
    logits, classes = rows(predictions, targets)
    right = logits.argmax(axis=1) == classes
    return {str(int(one)): float(np.mean(right[classes == one])) for one in np.unique(classes)}


def cross_entropy(predictions: Predictions, targets: Targets) -> float:
    """Mean cross-entropy in nats, in float64."""
    logits, classes = rows(predictions, targets)
    wide = logits.astype(np.float64)
    shifted = wide - wide.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sums - shifted[np.arange(len(classes)), classes]))


def perplexity(predictions: Predictions, targets: Targets) -> float:
    """e to the mean cross-entropy, of tokens for example."""
    return float(np.exp(cross_entropy(predictions, targets)))


def rows(predictions: Predictions, targets: Targets) -> tuple[Predictions, NDArray[np.int64]]:
    """Logits [B, C] and classes int64[B] of any of the shapes. Raises ValueError for others, and for classes that the
    model does not have."""
    if predictions.ndim == 1 or (predictions.ndim == 2 and predictions.shape[1] == 1):
        flat = predictions.reshape(-1)
        predictions = np.stack([np.zeros_like(flat), flat], axis=1)
    if predictions.ndim > 2:
        predictions = predictions.reshape(-1, predictions.shape[-1])
    classes = targets.reshape(-1)
    if predictions.ndim != 2 or len(classes) != len(predictions):
        raise ValueError(
            f"predictions have shape {list(predictions.shape)}, not one row of classes for each of {len(classes)} "
            "targets"
        )
    counted = classes != IGNORED
    if not counted.all():
        predictions, classes = predictions[counted], classes[counted]
    if not len(classes):
        raise ValueError("there is no target that counts")
    whole = classes.astype(np.int64)
    if classes.dtype.kind == "f" and (whole != classes).any():
        raise ValueError("targets are no numbers of classes: is the metric one of regressions?")
    if whole.min() < 0 or whole.max() >= predictions.shape[1]:
        raise ValueError(
            f"targets are classes from {whole.min()} to {whole.max()}, but the model has {predictions.shape[1]} classes"
        )
    return predictions, whole
