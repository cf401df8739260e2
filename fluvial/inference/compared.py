"""A variant's outputs beside the float32 model's, by all metrics of a policy: what a measurement says. Pure.

Nobody's answers follow from it by subtraction. A group of fewer than ten people is not published, but what is left of
everybody without the groups that are would be that group: so its examples are counted nowhere (complementary
suppression; Hundepool et al., 2012, "Statistical Disclosure Control", chapter 5). Where what is not published comes
to ten people or more, several small groups together, nothing is left out.

Shapes: B examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.inference.bootstrap import drops
from fluvial.inference.comparison import COUNTED, LEAST_EXAMPLES, Groups, answers_of, compare
from fluvial.wire.records import GroupCounts, MetricDrop

_Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What was found. num_examples: those that were counted."""

    num_examples: int
    counts: tuple[GroupCounts, ...]
    drops: tuple[MetricDrop, ...]


def compared(
    reference: NDArray[Any],
    variant: NDArray[Any],
    *,
    metrics: Sequence[str],
    seed: bytes,
    targets: NDArray[Any] | None = None,
    groups: Groups | None = None,
    people: NDArray[np.int64] | None = None,
) -> Compared:
    """reference, variant: outputs [B, ...]. metrics: of the policy; without targets, int or float [B], only agreement
    can be counted. Agreement is counted of classes whatever the policy says, so that every group that there is has a
    line. seed: the artefact's digest. people: int64[B], whose example each is; without it each is another person's.

    Raises ValueError as `compare` and `drops` do.
    """
    of_classes = targets is None or targets.dtype.kind != "f"
    counted = [metric for metric in COUNTED if metric in metrics or (metric == "agreement" and of_classes)]
    classes = targets if "recall" in counted and targets is not None else None
    rows = publishable(groups, len(reference), people, classes)
    if not rows.any():
        return Compared(num_examples=0, counts=(), drops=())
    groups = {attribute: (members[rows], names) for attribute, (members, names) in (groups or {}).items()}
    people = None if people is None else people[rows]
    targets = None if targets is None else targets[rows]
    reference, variant = reference[rows], variant[rows]
    answers = answers_of(reference), answers_of(variant)
    counts = compare(*answers, metrics=counted, targets=targets, groups=groups, people=people)
    found: list[MetricDrop] = []
    if targets is not None:
        drawn = [metric for metric in metrics if metric not in COUNTED]
        found = drops(reference, variant, targets, metrics=drawn, seed=seed, groups=groups, people=people)
    return Compared(num_examples=int(rows.sum()), counts=tuple(counts), drops=tuple(found))


def publishable(
    groups: Groups | None,
    num_examples: int,
    people: NDArray[np.int64] | None = None,
    classes: NDArray[Any] | None = None,
) -> _Mask:
    """bool[B], the examples that are counted. classes: [B], where figures of each class are told too, overall and in
    each group; each table of groups by classes then keeps what is hidden in each of its rows and columns."""
    whose = np.arange(num_examples) if people is None else people
    kept = np.ones(num_examples, np.bool_)
    exposed = True
    while exposed:  # what is left out may make another group small
        exposed = False
        for whole, parts in _tables(groups, num_examples, classes):
            hidden = np.zeros(num_examples, np.bool_)
            for part in parts:
                cell = whole & part & kept
                if 0 < _persons(whose[cell]) < LEAST_EXAMPLES:
                    hidden |= cell
            if 0 < _persons(whose[hidden]) < LEAST_EXAMPLES:
                kept &= ~hidden
                exposed = True
    return kept


def _persons(whose: NDArray[Any]) -> int:
    return len(np.unique(whose))


def _tables(
    groups: Groups | None, num_examples: int, classes: NDArray[Any] | None
) -> Iterator[tuple[_Mask, list[_Mask]]]:
    """Each whole whose figures are told, and the parts that it is told by."""
    everybody = np.ones(num_examples, np.bool_)
    by_class = [] if classes is None else [classes == each for each in np.unique(classes)]
    by_group = [[numbers == number for number in range(len(names))] for _, (numbers, names) in (groups or {}).items()]
    for parts in by_group:
        for whole in (everybody, *by_class):
            yield whole, parts
    if by_class:
        for whole in (everybody, *(group for parts in by_group for group in parts)):
            yield whole, by_class
