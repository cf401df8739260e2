"""How much worse a variant is in a metric that is no share of right answers: AUC, F1, errors of a regression. Pure.

Paired cluster bootstrap: people are drawn with replacement, each with all examples that are theirs, and both models are
measured on the same draw. Source: Efron and Tibshirani, 1993, "An Introduction to the Bootstrap", chapters 13 and 16;
by clusters: Davison and Hinkley, 1997, "Bootstrap Methods and their Application", section 3.8. Draws follow from the
artefact's digest and the group's name, so whoever has the gate set draws the same.

Shapes: B examples, R draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.inference.comparison import LEAST_EXAMPLES, Groups, answers_of, members_of
from fluvial.wire.promotion_policy import ERRORS
from fluvial.wire.records import MetricDrop

DRAWS = 2000
LEVEL = 0.95
"""Of the one-sided upper bound: the quantile of the draws' drops."""

_LEAST_DEFINED = 0.9
"""Share of draws in which a metric must be defined: a group with two positives has no AUC worth a bound."""

_BLOCK_ELEMENTS = 2_000_000

Wide = NDArray[np.float64]
Weighted = Callable[[Wide], Wide]
"""Of weights float64[R, B], how often each example was drawn: the metric float64[R]; NaN where it is not defined."""


def drops(
    reference: NDArray[Any],
    variant: NDArray[Any],
    targets: NDArray[Any],
    *,
    metrics: Sequence[str],
    seed: bytes,
    groups: Groups | None = None,
    people: NDArray[np.int64] | None = None,
    draws: int = DRAWS,
) -> list[MetricDrop]:
    """By metric and group, how much the variant is worse, in the metric's unit; ordered by both. Groups of fewer than
    LEAST_EXAMPLES people are left out, and those in which a metric is not defined.

    reference, variant: outputs [B, ...] of both models. targets: classes or values, [B]. metrics: of `METRICS`. seed:
    the artefact's digest. people: int64[B], whose example each is; without it each is another person's. Raises
    ValueError for an unknown metric, and for outputs or targets that do not fit it."""
    if len(reference) != len(variant) or len(reference) != len(targets):
        raise ValueError(f"{len(reference)} and {len(variant)} outputs for {len(targets)} targets")
    unknown = sorted(set(metrics) - METRICS.keys())
    if unknown:
        raise ValueError(f"unknown metrics {', '.join(unknown)}: {', '.join(METRICS)} are measured by resampling")
    found: list[MetricDrop] = []
    if not metrics:
        return found
    for group, members in members_of(groups, len(targets)):
        _, person = np.unique(np.flatnonzero(members) if people is None else people[members], return_inverse=True)
        if not person.size or person.max() + 1 < LEAST_EXAMPLES:
            continue
        pairs = {
            metric: [METRICS[metric](outputs[members], targets[members]) for outputs in (reference, variant)]
            for metric in metrics
        }
        drawn = _drawn(pairs, person.ravel(), sha256(seed + group.encode()).digest(), draws)
        for metric, of_both in pairs.items():
            found += _drop(metric, group, of_both, drawn[metric], len(person))
    return sorted(found, key=lambda drop: (drop.metric, drop.group))


def _drawn(
    pairs: Mapping[str, Sequence[Weighted]], person: NDArray[np.int64], seed: bytes, draws: int
) -> dict[str, Wide]:
    """By metric the drop in each draw, float64[R]. person: int64[B], numbers from 0."""
    blocks = [
        {metric: _worse(metric, *(of_one(weights) for of_one in of_both)) for metric, of_both in pairs.items()}
        for weights in _weights(person, seed, draws)
    ]
    return {metric: np.concatenate([block[metric] for block in blocks]) for metric in pairs}


def _weights(person: NDArray[np.int64], seed: bytes, draws: int) -> Iterator[Wide]:
    """Blocks of float64[R, B]: how often each example's person was drawn."""
    # RandomState and not Generator: NumPy promises its numbers for ever (NEP 19).
    random = np.random.RandomState(np.frombuffer(seed, "<u4"))
    size = int(person.max()) + 1
    block = max(1, _BLOCK_ELEMENTS // len(person))
    for first in range(0, draws, block):
        rows = min(block, draws - first)
        counts = np.stack([np.bincount(random.randint(0, size, size), minlength=size) for _ in range(rows)])
        yield counts[:, person].astype(np.float64)


def _drop(metric: str, group: str, of_both: Sequence[Weighted], drawn: Wide, num_examples: int) -> Iterator[MetricDrop]:
    once = np.ones((1, num_examples))
    reference, variant = (float(of_one(once)[0]) for of_one in of_both)
    defined = drawn[np.isfinite(drawn)]
    if not np.isfinite([reference, variant]).all() or len(defined) < _LEAST_DEFINED * len(drawn):
        return
    drop = float(_worse(metric, np.float64(reference), np.float64(variant)))
    yield MetricDrop(
        metric=metric,
        group=group,
        num_examples=num_examples,
        value=variant,
        drop=drop,
        bound=max(drop, float(np.quantile(defined, LEVEL, method="higher"))),
        p_value=float((1 + np.count_nonzero(defined <= 0)) / (1 + len(defined))),
    )


def _worse(metric: str, reference: Any, variant: Any) -> Any:
    return variant - reference if metric in ERRORS else reference - variant


def _auc(outputs: NDArray[Any], targets: NDArray[Any]) -> Weighted:
    """P(score of a positive > score of a negative), ties count half. Source: Hanley and McNeil, 1982."""
    if outputs.ndim == 2 and outputs.shape[1] == 2:
        scores = outputs[:, 1].astype(np.float64) - outputs[:, 0]
    elif outputs.size == len(outputs):
        scores = outputs.reshape(-1).astype(np.float64)
    else:
        raise ValueError(f"auc is for two classes; outputs have shape {list(outputs.shape)}")
    _check_classes(targets, 2, "auc")
    if np.isnan(scores).any():
        return lambda weights: np.full(len(weights), np.nan)  # no order has them
    order = np.argsort(scores, kind="stable")
    positive = (targets == 1)[order]
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])

    def of_weights(weights: Wide) -> Wide:
        ordered = weights[:, order]
        negatives = np.add.reduceat(ordered * ~positive, starts, axis=1)
        positives = np.add.reduceat(ordered * positive, starts, axis=1)
        below = np.cumsum(negatives, axis=1) - negatives / 2
        pairs = positives.sum(axis=1) * negatives.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Wide = np.where(pairs > 0, (positives * below).sum(axis=1) / pairs, np.nan)
        return found

    return of_weights


def _macro_f1(outputs: NDArray[Any], targets: NDArray[Any]) -> Weighted:
    """Mean over the classes that occur, in targets or answers, of the harmonic mean of precision and recall."""
    answers, classes = answers_of(outputs), outputs.shape[1] if outputs.ndim == 2 and outputs.shape[1] > 1 else 2
    _check_classes(targets, classes, "macro_f1")
    one_hot = np.arange(classes)
    right = (answers == targets)[:, None] & (targets[:, None] == one_hot)
    there = (answers[:, None] == one_hot).astype(np.float64) + (targets[:, None] == one_hot)

    def of_weights(weights: Wide) -> Wide:
        total = weights @ there
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.where(total > 0, 2 * (weights @ right) / total, np.nan)
        found: Wide = np.nanmean(values, axis=1)
        return found

    return of_weights


def _mae(outputs: NDArray[Any], targets: NDArray[Any]) -> Weighted:
    errors = np.abs(_errors(outputs, targets)).mean(axis=1)
    return lambda weights: weights @ errors / weights.sum(axis=1)


def _rmse(outputs: NDArray[Any], targets: NDArray[Any]) -> Weighted:
    errors = np.square(_errors(outputs, targets)).mean(axis=1)
    return lambda weights: np.sqrt(weights @ errors / weights.sum(axis=1))


METRICS: Mapping[str, Callable[[NDArray[Any], NDArray[Any]], Weighted]] = {
    "auc": _auc,
    "macro_f1": _macro_f1,
    "mae": _mae,
    "rmse": _rmse,
}


def _errors(outputs: NDArray[Any], targets: NDArray[Any]) -> Wide:
    """float64[B, K] of K outputs."""
    flat, wanted = outputs.reshape(len(outputs), -1), targets.reshape(len(targets), -1)
    if flat.shape != wanted.shape:
        raise ValueError(f"outputs of shape {list(outputs.shape)} are no values for targets {list(targets.shape)}")
    found: Wide = flat.astype(np.float64) - wanted
    return found


def _check_classes(targets: NDArray[Any], classes: int, metric: str) -> None:
    if targets.ndim != 1 or not np.isin(targets, np.arange(classes)).all():
        raise ValueError(f"{metric} needs targets that are classes from 0 to {classes - 1}")
