"""Metrics of a classifier, from its logits. Shapes: B examples, C classes; logits [B, C], targets int64[B]."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.floating[Any]]
Targets = NDArray[np.int64]


def accuracy(logits: Logits, targets: Targets) -> float:
    """Share of examples whose largest logit is their class's; of equal logits the first counts."""
    return float(np.mean(logits.argmax(axis=1) == targets))


def loss(logits: Logits, targets: Targets) -> float:
    """Mean cross-entropy in nats, in float64."""
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sums - shifted[np.arange(len(targets)), targets]))


def auc(logits: Logits, targets: Targets) -> float:
    """Area under the ROC curve for two classes: P(score of a positive > score of a negative), ties count half.

    The score is logit 1 minus logit 0. Source: Hanley and McNeil, 1982. Raises ValueError unless there are two classes
    and examples of both.
    """
    if logits.shape[1] != 2:
        raise ValueError(f"auc is for two classes, got {logits.shape[1]}")
    scores = logits[:, 1].astype(np.float64) - logits[:, 0]
    positive, negative = scores[targets == 1], np.sort(scores[targets == 0])
    if not positive.size or not negative.size:
        raise ValueError("auc needs examples of both classes")
    below = np.searchsorted(negative, positive, side="left")
    not_above = np.searchsorted(negative, positive, side="right")
    return float((below + not_above).sum() / (2 * positive.size * negative.size))


METRICS: Mapping[str, Callable[[Logits, Targets], float]] = {"accuracy": accuracy, "auc": auc, "loss": loss}


def measure(logits: Logits, targets: Targets, names: Sequence[str]) -> dict[str, float]:
    """The named metrics, all finite.

    Raises ValueError for an unknown name, no examples, shapes that differ, classes that the model does not have, and
    predictions or metrics that are not finite.
    """
    unknown = sorted(set(names) - set(METRICS))
    if unknown:
        raise ValueError(f"unknown metrics {', '.join(unknown)}; known: {', '.join(sorted(METRICS))}")
    if not len(targets) or len(logits) != len(targets):
        raise ValueError(f"{len(logits)} predictions for {len(targets)} targets")
    if logits.ndim != 2:
        raise ValueError(f"predictions have shape {list(logits.shape)}, not one row of classes for each example")
    if targets.min() < 0 or targets.max() >= logits.shape[1]:
        raise ValueError(
            f"targets are classes from {targets.min()} to {targets.max()}, but the model has {logits.shape[1]} classes"
        )
    if np.isnan(logits).any():
        raise ValueError("the model's predictions are NaN")
    with np.errstate(all="ignore"):  # what comes of infinite predictions is looked at below
        found = {name: METRICS[name](logits, targets) for name in names}
    useless = sorted(name for name, value in found.items() if not isfinite(value))
    if useless:
        raise ValueError(f"not finite: {', '.join(f'{name} {found[name]}' for name in useless)}")
    return found
