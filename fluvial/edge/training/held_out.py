"""Metrics of a model on examples that a participant holds out, in the form in which an update tells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import nn

from fluvial.admission.held_out import MAX_TOLD, held_out_fits
from fluvial.edge.metrics import GroupMetrics, measure_groups
from fluvial.edge.metrics.measure import Metric
from fluvial.edge.packages.examples import Examples
from fluvial.edge.packages.held_out import num_people
from fluvial.edge.training.predictions import predict
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
    """The named metrics of all examples, then of each group of at least ten people; nothing of fewer than ten.

    What is not defined on some examples (one class alone) or cannot be told (no finite value, a name of more than 64
    bytes) is left out, and so are groups beyond 256 values in all. own: the task's metrics by the names that stand
    in `metrics`. Raises ValueError for an unknown name and for a module that does not return a tensor.
    """
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
            metrics=_values(found),
        )
        if not told and (found.attribute or not held_out_fits((one,))):
            return ()  # of all examples nothing can be told, so nothing of their groups
        if sum(len(each.metrics) for each in (*told, one)) > MAX_TOLD:
            break
        members, names = groups[found.attribute]
        enough = num_people(examples.chosen(members == names.index(found.group))) >= LEAST_PUBLISHED
        if enough and held_out_fits((*told, one)):
            told = *told, one
    return told


def _values(found: GroupMetrics) -> tuple[records.Metric, ...]:
    """Those that can be told alone."""
    values = (records.Metric(name=name, value=value) for name, value in sorted(found.metrics.items()))
    alone = (HeldOutMetrics(attribute="", group="", num_examples=LEAST_PUBLISHED, metrics=(one,)) for one in values)
    return tuple(each.metrics[0] for each in alone if held_out_fits((each,)))
