"""Named metrics together, overall and by group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.metrics import classification, regression
from fluvial.edge.packages.examples import Groups
from fluvial.wire.records import Release
from fluvial.wire.task_code import metric_name

Values = NDArray[Any]
Metric = Callable[[Values, Values], float | Mapping[str, float]]
"""Of predictions and targets: a value, or several by a name that is appended."""

METRICS: Mapping[str, Metric] = {
    "accuracy": classification.accuracy,
    "auc": classification.auc,
    "macro_f1": classification.macro_f1,
    "recall": classification.recall,
    "mae": regression.mae,
    "rmse": regression.rmse,
    "r2": regression.r2,
    "perplexity": classification.perplexity,
}
"""All but `loss`, which is the task's."""
_OF_CLASSES = frozenset({"accuracy", "auc", "macro_f1", "recall", "perplexity", "loss"})

LOSSES: Mapping[str, Metric] = {
    "cross_entropy": classification.cross_entropy,
    "binary_cross_entropy": regression.binary_cross_entropy,
    "mean_squared_error": regression.mse,
    "mean_absolute_error": regression.mae,
    "huber": regression.huber,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMetrics:
    """One group of an attribute. reason: why metrics are missing, empty where none is."""

    attribute: str
    group: str
    num_examples: int
    metrics: Mapping[str, float]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Metrics of all examples, and of each group that has any."""

    metrics: Mapping[str, float]
    groups: tuple[GroupMetrics, ...] = ()

    @classmethod
    def told_by(cls, release: Release | None) -> Measured:
        """What a release tells of its model; nothing while there is none."""
        if release is None:
            return cls(metrics={})
        groups = tuple(
            GroupMetrics(
                attribute=group.attribute,
                group=group.group,
                num_examples=group.num_examples,
                metrics={metric.name: metric.value for metric in group.metrics},
                reason=group.reason,
            )
            for group in release.groups
        )
        return cls(metrics={metric.name: metric.value for metric in release.metrics}, groups=groups)


def measure(
    predictions: Values,
    targets: Values,
    names: Sequence[str],
    *,
    loss: str | Metric = "cross_entropy",
    own: Mapping[str, Metric] | None = None,
) -> dict[str, float]:
    """The named metrics, all finite; one with several values (recall) as `name.CLASS`.

    loss: the task's, by name or as a function of arrays. own: the task's metrics, by the names that stand in `names`.
    Raises ValueError for an unknown name, no examples, shapes that differ, classes that the model does not have, a
    metric that is not defined on these examples, and predictions or metrics that are not finite.
    """
    functions = _functions(names, loss, own or {})
    if not len(targets) or len(predictions) != len(targets):
        raise ValueError(f"{len(predictions)} predictions for {len(targets)} targets")
    one_logit = predictions.ndim == 1 or predictions.shape[-1] == 1
    if loss == "cross_entropy" and one_logit and not _OF_CLASSES.isdisjoint(names):
        raise ValueError(
            "the model has 1 class: cross_entropy needs a logit for each class; one logit of two classes is for the "
            "loss binary_cross_entropy"
        )
    if np.isnan(predictions).any():
        raise ValueError("the model's predictions are NaN")
    found: dict[str, float] = {}
    with np.errstate(all="ignore"):  # what comes of infinite predictions is looked at below
        for name, function in functions.items():
            value = function(predictions, targets)
            if isinstance(value, Mapping):
                found |= {f"{name}.{part}": float(one) for part, one in value.items()}
            else:
                found[name] = float(value)
    useless = sorted(name for name, value in found.items() if not isfinite(value))
    if useless:
        raise ValueError(f"not finite: {', '.join(f'{name} {found[name]}' for name in useless)}")
    return found


def measure_groups(
    predictions: Values,
    targets: Values,
    groups: Groups,
    names: Sequence[str],
    *,
    loss: str | Metric = "cross_entropy",
    own: Mapping[str, Metric] | None = None,
) -> tuple[GroupMetrics, ...]:
    """The named metrics of each group that has examples, by attribute and in the groups' order.

    A metric that is not defined on a group (one class alone) is left out there, and the reason says why. Raises
    ValueError for an unknown name.
    """
    functions = _functions(names, loss, own or {})
    found = []
    for attribute, (members, labels) in groups.items():
        for number, label in enumerate(labels):
            chosen = members == number
            count = int(np.count_nonzero(chosen))
            if not count:
                continue
            metrics: dict[str, float] = {}
            reasons: list[str] = []
            for name, function in functions.items():
                try:
                    metrics |= measure(predictions[chosen], targets[chosen], [name], loss=loss, own={name: function})
                except ValueError as error:
                    reasons.append(str(error))
            reason = "; ".join(dict.fromkeys(reasons))
            found.append(
                GroupMetrics(attribute=attribute, group=label, num_examples=count, metrics=metrics, reason=reason)
            )
    return tuple(found)


def _functions(names: Sequence[str], loss: str | Metric, own: Mapping[str, Metric]) -> dict[str, Metric]:
    known = {**METRICS, "loss": LOSSES[loss] if isinstance(loss, str) else loss, **own}
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(f"unknown metrics {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    return {metric_name(name): known[name] for name in names}
