"""The drop of a metric that is no share of right answers, by the paired bootstrap over clusters.

Reference and variant are measured on the same resample, so what they have in common cancels. Whole clusters (a patient,
a writer, a speaker) are drawn, because the examples of one of them are no independent evidence. The seed comes from a
digest, so that whoever has the data computes the same bound. Source: Efron and Tibshirani, 1993, "An Introduction to
the Bootstrap"; clusters: Field and Welsh, 2007, Journal of the Royal Statistical Society B 69."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2_000

Metric = Callable[[NDArray[np.intp]], float]
"""Value of a metric on the examples with these indices, which may repeat. Raises ValueError where it is not defined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDrop:
    """drop: how much worse the variant is, in the metric's unit, below 0 where it is better. bound: its upper 95 %
    bound. p_value: of the hypothesis that nothing was lost."""

    reference: float
    value: float
    drop: float
    bound: float
    p_value: float


def paired_drop(
    reference: Metric,
    variant: Metric,
    clusters: NDArray[np.int64],
    *,
    seed: bytes,
    higher_is_better: bool,
    resamples: int = RESAMPLES,
) -> PairedDrop:
    """The drop of `variant` against `reference`, both metrics of indices 0 to n - 1.

    clusters: int64[n], whose example each is. Resamples on which a metric is not defined (one class alone) are drawn
    again, ten times as many at most. Raises ValueError when the metric is not defined on the whole, or too rarely.
    """
    everyone = np.arange(len(clusters), dtype=np.intp)
    sign = 1.0 if higher_is_better else -1.0
    whole = reference(everyone), variant(everyone)
    order = np.argsort(clusters, kind="stable").astype(np.intp)
    _, starts = np.unique(clusters[order], return_index=True)
    members = np.split(order, starts[1:])
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(seed[:16], "big")))
    drops: list[float] = []
    for _ in range(10 * resamples):
        if len(drops) == resamples:
            break
        drawn = generator.integers(0, len(members), len(members))
        indices = np.concatenate([members[number] for number in drawn])
        try:
            drops.append(sign * (reference(indices) - variant(indices)))
        except ValueError:
            continue
    if len(drops) < resamples:
        raise ValueError(
            f"the metric is defined on {len(drops)} of {10 * resamples} resamples: too few to bound its drop"
        )
    ordered = np.sort(drops)
    return PairedDrop(
        reference=whole[0],
        value=whole[1],
        drop=sign * (whole[0] - whole[1]),
        bound=float(np.quantile(ordered, 0.95, method="higher")),
        p_value=float((np.count_nonzero(ordered <= 0.0) + 1) / (resamples + 1)),
    )
