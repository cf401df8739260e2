"""Answers of a model and of its variant on the same examples, counted by metric and group. Pure; no example leaves.

Metrics: `accuracy`; `recall`, which is counted for each class as `recall:CLASS` on the examples of that class; and
`agreement`, which needs no labels. Every metric is counted for all examples and for each group of each attribute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.wire.records import GroupCounts

EVERYBODY = "all"

COUNTED = ("accuracy", "recall", "agreement")
"""What is a share of right answers, so that four counts say all."""

LEAST_EXAMPLES = 10
"""Groups of fewer people are never counted: it would tell of somebody."""

NO_ANSWER = int(np.iinfo(np.int64).min)
"""What outputs that are NaN answer: no class, so never right."""

Answers = NDArray[np.int64]
Groups = Mapping[str, tuple[NDArray[np.int64], Sequence[str]]]
"""By attribute (sex, age, writer): int64[B], the number of each example's group, and the groups' names."""


def answers_of(outputs: NDArray[np.floating[Any]]) -> Answers:
    """int64[B], the class of the largest of C outputs; of equal ones the first. One output: whether it is above 0.
    NO_ANSWER where one of them is NaN, which `argmax` would take for the largest."""
    if outputs.ndim == 2 and outputs.shape[1] > 1:
        answers: Answers = outputs.argmax(axis=1).astype(np.int64)
    else:
        answers = (outputs.reshape(len(outputs), -1)[:, 0] > 0).astype(np.int64)
    answers[np.isnan(outputs.reshape(len(outputs), -1)).any(axis=1)] = NO_ANSWER
    return answers


def compare(
    reference: Answers,
    variant: Answers,
    *,
    metrics: Sequence[str],
    targets: NDArray[Any] | None = None,
    groups: Groups | None = None,
    people: NDArray[np.int64] | None = None,
) -> list[GroupCounts]:
    """Counts by metric and group, ordered by both; groups of fewer than LEAST_EXAMPLES people are left out.

    reference, variant: int64[B], from `answers_of`. targets: int64[B]; without them only `agreement` can be counted.
    people: int64[B], whose example each is; without it each is another person's. Raises ValueError for an unknown
    metric, one that needs labels where there are none, and arrays of different lengths."""
    arrays = [reference, variant, *([] if targets is None else [targets]), *([] if people is None else [people])]
    arrays += [members for members, _ in (groups or {}).values()]
    if len({len(array) for array in arrays}) != 1:
        raise ValueError(f"answers, targets, groups and people differ in length: {sorted({len(a) for a in arrays})}")
    counted: list[GroupCounts] = []
    for metric, chosen, right, right_too in _rightness(reference, variant, metrics, targets):
        for group, members in members_of(groups, len(reference)):
            here = chosen & members
            persons = int(here.sum()) if people is None else len(np.unique(people[here]))
            if persons >= LEAST_EXAMPLES:
                counted.append(_counts(metric, group, right[here], right_too[here]))
    return sorted(counted, key=lambda counts: (counts.metric, counts.group))


_Mask = NDArray[np.bool_]


def _rightness(
    reference: Answers, variant: Answers, metrics: Sequence[str], targets: NDArray[Any] | None
) -> Iterator[tuple[str, _Mask, _Mask, _Mask]]:
    """Metric, its examples, whether the reference is right, whether the variant is."""
    everything = np.ones(len(reference), np.bool_)
    for metric in metrics:
        if metric == "agreement":
            yield metric, everything, everything, reference == variant
            continue
        if metric not in COUNTED:
            raise ValueError(f"unknown metric {metric!r}: accuracy, recall and agreement are counted")
        if targets is None:
            raise ValueError(f"{metric} needs labels; without them only agreement can be counted")
        right, right_too = reference == targets, variant == targets
        if metric == "accuracy":
            yield metric, everything, right, right_too
        else:
            for label in np.unique(targets).tolist():
                yield f"recall:{label}", targets == label, right, right_too


def members_of(groups: Groups | None, num_examples: int) -> Iterator[tuple[str, _Mask]]:
    """Everybody, then each group as ATTRIBUTE:NAME: which of B examples are its."""
    yield EVERYBODY, np.ones(num_examples, np.bool_)
    for attribute, (numbers, names) in (groups or {}).items():
        for number, name in enumerate(names):
            yield f"{attribute}:{name}", numbers == number


def _counts(metric: str, group: str, right: _Mask, right_too: _Mask) -> GroupCounts:
    return GroupCounts(
        metric=metric,
        group=group,
        both=int((right & right_too).sum()),
        harmed=int((right & ~right_too).sum()),
        helped=int((~right & right_too).sum()),
        neither=int((~right & ~right_too).sum()),
    )
