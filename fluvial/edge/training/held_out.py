"""Metrics of a model on examples that a participant holds out, in the form in which an update tells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from fluvial.admission.held_out import MAX_TOLD, held_out_fits
from fluvial.edge.metrics import GroupMetrics, measure_groups
from fluvial.edge.metrics.measure import Metric
from fluvial.edge.packages.examples import Examples, Groups
from fluvial.edge.packages.held_out import num_people
from fluvial.edge.training.predictions import predict
from fluvial.inference.compared import publishable
from fluvial.wire import records
from fluvial.wire.promotion_policy import LEAST_PUBLISHED
from fluvial.wire.records import HeldOutMetrics


def told_of(
    module: nn.Module,
    examples: Examples,
    metrics: Sequence[str],
    *,
    loss: str | Metric = "cross_entropy",
    own: Mapping[str, Metric] | None = None,
    device: str = "cpu",
) -> tuple[HeldOutMetrics, ...]:
    """The named metrics of all examples, then of each group of at least ten people; nothing of fewer than ten, and
    nothing from which such a group would follow (`publishable`).

    What is not defined on some examples (one class alone) or cannot be told (no finite value, a name of more than 64
    bytes) is left out, and so are groups beyond 256 values in all. own: the task's metrics by the names that stand
    in `metrics`. Raises ValueError for an unknown name and for a module that does not return a tensor.
    """
    if num_people(examples) < LEAST_PUBLISHED:
        return ()
    classes = examples.targets if "recall" in metrics else None
    examples = examples.chosen(publishable(examples.groups, len(examples), examples.people, classes))
    if num_people(examples) < LEAST_PUBLISHED:
        return ()
    predictions = predict(module, examples, device=device)
    groups = {"": (np.zeros(len(examples), np.int64), ("",)), **examples.groups}
    told: tuple[HeldOutMetrics, ...] = ()
    for found in measure_groups(predictions, examples.targets, groups, metrics, loss=loss, own=own):
        one = HeldOutMetrics(
            attribute=found.attribute,
            group=found.group,
            num_examples=found.num_examples,
            metrics=_values(found, _small_classes(examples.chosen(_members(groups, found)))),
        )
        if not told and (found.attribute or not held_out_fits((one,))):
            return ()  # of all examples nothing can be told, so nothing of their groups
        if sum(len(each.metrics) for each in (*told, one)) > MAX_TOLD:
            break
        enough = num_people(examples.chosen(_members(groups, found))) >= LEAST_PUBLISHED
        if enough and held_out_fits((*told, one)):
            told = *told, one
    return told


def _members(groups: Groups, found: GroupMetrics) -> NDArray[np.bool_]:
    members, names = groups[found.attribute]
    rows: NDArray[np.bool_] = members == names.index(found.group)
    return rows


def _small_classes(examples: Examples) -> frozenset[str]:
    """Names of the recall of classes of fewer than ten people: what such a class has right would tell of them."""
    if examples.targets.ndim != 1 or examples.targets.dtype.kind not in "iub":
        return frozenset()
    classes = np.unique(examples.targets)
    few = (each for each in classes if num_people(examples.chosen(examples.targets == each)) < LEAST_PUBLISHED)
    return frozenset(f"recall.{each}" for each in few)


def _values(found: GroupMetrics, untold: frozenset[str]) -> tuple[records.Metric, ...]:
    """Those that can be told alone."""
    told = ((name, value) for name, value in sorted(found.metrics.items()) if name not in untold)
    values = (records.Metric(name=name, value=value) for name, value in told)
    alone = (HeldOutMetrics(attribute="", group="", num_examples=LEAST_PUBLISHED, metrics=(one,)) for one in values)
    return tuple(each.metrics[0] for each in alone if held_out_fits((each,)))
