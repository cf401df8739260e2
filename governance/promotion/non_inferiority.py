"""The statistics of the gate, on paired counts. Pure Python in float64: anyone recomputes a verdict from four integers.

Non-inferiority is shown when the upper bound of the drop is within the margin; harm when an exact test rejects that
losses and gains are equally likely. Requiring the bound of every group is an intersection-union test: no correction for
their number is needed, each at level alpha keeps the whole at alpha (Berger, 1982, Technometrics 24). Saying "this
group is harmed" of any of many groups does need one: Holm's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import erfc, exp, expm1, lgamma, log, log1p, sqrt

from governance.promotion.counts import PairedCounts

Z_95 = 1.6448536269514722
"""One-sided 95 % quantile of the standard normal distribution."""

ALPHA = 0.05
"""Level of both tests: of non-inferiority for each group, of harm for all groups together."""

SMALL_SAMPLE = 4.0
"""The score test is held to a quantile that is larger by this share of one example: (1 + 4 / n) times the normal one.
Computed over all outcomes, for n from 30 to 1,000, margins of 1, 2, 3 and 5 points and up to 15 times as many changes
as the margin, a harmful variant then passes at most 4.98 % of the time; without it up to 5.6 % (n = 100). For n from 10
to 2,000, margins from 0.2 to 30 points and any share of gains it passes at most 5.05 % (n = 700 and half a point)."""

EXACT_LOSSES = 1_000
"""Up to so many losses the exact bound of their share is computed; above, the score test with one loss more than there
were, which is beyond it: what the normal distribution leaves out, skewness and steps of one example, is 0.8 of one."""

EXACT_CHANGES = 100_000
"""Up to so many changes McNemar's test sums the binomial distribution; above it is the normal one, to half an example.
Numbers come from whoever measured: none of them may decide how long the gate computes."""

_REMEMBERED = 1 << 16
"""Counts whose bound is kept: with each participant that measures, those of all others are judged again."""

_STEPS = 60
"""Halvings of the interval (-1, 1): more than float64 resolves."""


@lru_cache(maxsize=_REMEMBERED)
def upper_bound(counts: PairedCounts) -> float:
    """Upper 95 % confidence bound of the drop, a share in (0, 1]; 1.0 of no examples: nothing is known.

    Tango's, with the quantile of SMALL_SAMPLE. Where nobody was helped the score test lets a harmful variant pass a
    little too often (6.0 % at n = 300 and two points); there losses alone are counted, and the exact bound of their
    share is at hand: Clopper and Pearson, 1934, Biometrika 26. Without a loss it is the rule of three, 3 / n, and no
    number of gains makes it less: with fewer losses expected than that, the score test let through 5.5 % (n = 200 and
    half a point)."""
    size = counts.num_examples
    if size == 0:
        return 1.0
    tango = score_bound(counts, Z_95 * (1.0 + SMALL_SAMPLE / size))
    if counts.helped:
        return max(tango, -expm1(log(ALPHA) / size))
    if counts.harmed > EXACT_LOSSES:
        one_more = PairedCounts(both=max(0, size - counts.harmed - 1), harmed=counts.harmed + 1, helped=0, neither=0)
        return max(tango, score_bound(one_more))
    return max(tango, _largest(lambda share: _at_most(counts.harmed, size, share) >= ALPHA, counts.drop))


def score_bound(counts: PairedCounts, z: float = Z_95) -> float:
    """Tango's bound: the largest drop D that a one-sided score test at quantile z does not reject, of at least one
    example. Source: Tango, 1998, "Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design", Statistics in Medicine 17."""
    return _largest(lambda drop: _score(counts, drop) >= -z, max(-1.0, counts.drop))


def _largest(holds: Callable[[float], bool], low: float) -> float:
    """The largest number from `low` to 1 for which `holds`, which no larger one does again; by bisection."""
    high = 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return high


def _at_most(losses: int, size: int, share: float) -> float:
    """P(X <= losses), X ~ Binomial(size, share)."""
    if losses >= size or share <= 0.0:
        return 1.0
    if share >= 1.0:
        return 0.0
    if losses < size * share:
        return min(1.0, _tail(losses, size, share))
    return max(0.0, 1.0 - _tail(size - losses - 1, size, 1.0 - share))


def _tail(losses: int, size: int, share: float) -> float:
    """P(X <= losses), X ~ Binomial(size, share), for losses below the mean: from the largest term down, until terms
    add nothing."""
    logs = losses * log(share) + (size - losses) * log1p(-share)
    term = exp(lgamma(size + 1) - lgamma(losses + 1) - lgamma(size - losses + 1) + logs)
    odds, total, count = (1.0 - share) / share, term, losses
    while count > 0 and term > total * 1e-18:
        term *= odds * count / (size - count + 1)
        count -= 1
        total += term
    return total


def _score(counts: PairedCounts, drop: float) -> float:
    """Tango's statistic of the hypothesis that the true drop is `drop`, with the probability q of being helped that is
    most likely under it."""
    size, harmed, helped = counts.num_examples, counts.harmed, counts.helped
    a = 2.0 * size
    b = -harmed - helped + (2.0 * size - harmed + helped) * drop
    c = -helped * drop * (1.0 - drop)
    q = (sqrt(max(0.0, b * b - 4.0 * a * c)) - b) / (2.0 * a)
    variance = size * (2.0 * q + drop * (1.0 - drop))
    difference = harmed - helped - size * drop
    return 0.0 if difference == 0 else difference / sqrt(variance) if variance > 0 else float("-inf")


@lru_cache(maxsize=_REMEMBERED)
def harm_p_value(counts: PairedCounts) -> float:
    """Probability of at least so many losses if each change were a loss or a gain by the toss of a coin: McNemar's
    exact test, one-sided. Source: McNemar, 1947, Psychometrika 12. 1.0 where nothing changed."""
    changes = counts.harmed + counts.helped
    if changes <= EXACT_CHANGES:
        return _at_most(counts.helped, changes, 0.5)
    return erfc((counts.harmed - counts.helped - 1) / sqrt(2.0 * changes)) / 2.0


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number: each may be compared with alpha. Source: Holm, 1979, "A simple sequentially
    rejective multiple test procedure", Scandinavian Journal of Statistics 6."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
