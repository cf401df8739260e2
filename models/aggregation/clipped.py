"""Norm clipping before any rule: x_i * min(1, max_norm / |x_i|). Source: Sun et al., 2019, "Can You Really Backdoor
Federated Learning?", section 4.

An update of norm 0 stays as it is. A factor is rounded down to 24 significant bits, so a clipped update is no longer
than max_norm (as far as its norm is known), and shorter by 2**-22 of it at most, however long it was; its coefficient
has a shift where it is small. The divisor is scaled up by 24 bits, or by as many as leave sums below 2**28, of
coefficients and of what they add up of clipped updates. As no element of a clipped update exceeds max_norm, the exact
sum's precision follows from max_norm where that is below max_abs. What no update exceeds changes nothing: the plan is
the inner rule's, exactly. By itself clipping bounds what an update can do, it does not find out who attacks. Shapes: N
updates.
"""

from dataclasses import dataclass
from math import ceil, frexp, isfinite, ldexp, sqrt
from typing import ClassVar

import numpy as np

from models.aggregation.coefficients import MAX_COMPOSED_SUM, SCALE, SCALE_BITS, SIGNIFICANT_BITS, Term, shortened
from models.aggregation.plan import DeferredRule, Gram, Measure, Plan, RoundUpdates, Rule, measured

NORM_MARGIN = 1.0 + 2.0**-20
"""What the Gram matrix may not know of a norm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clipped(DeferredRule):
    """Wrapper `clipped`. max_norm: L2 norm of the longest update that stays as it is. rule: what gets the clipped."""

    name: ClassVar[str] = "clipped"

    max_norm: float
    rule: Rule

    def __post_init__(self) -> None:
        """Raises ValueError for a norm that is not positive."""
        if not (isfinite(self.max_norm) and self.max_norm > 0):
            raise ValueError(f"max_norm must be positive, got {self.max_norm}")

    @property
    def measure(self) -> Measure:
        """Norms, or what the rule inside needs."""
        return max(Measure.NORMS, self.rule.measure)

    def breakdown_point(self, num_updates: int) -> int:
        """That of the rule inside."""
        return self.rule.breakdown_point(num_updates)

    def check_quorum(self, quorum: int) -> None:
        """Raises ValueError as the rule inside."""
        self.rule.check_quorum(quorum)

    def coefficient_bound(self, target: int, max_weight: int) -> int:
        """That of the rule inside, with as much of the factors' scale as is kept."""
        inner = self.rule.coefficient_bound(target, max_weight)
        return max(inner, min(inner * SCALE, MAX_COMPOSED_SUM))

    def element_bound(self, max_abs: float) -> float:
        """That of the rule inside, given clipped updates."""
        return self.rule.element_bound(min(max_abs, self.max_norm * NORM_MARGIN))

    def plan(self, updates: RoundUpdates, gram: Gram | None = None) -> Plan:
        """The inner rule's plan of the clipped updates, as a plan of the updates."""
        gram = measured(gram, updates)
        factors = [_factor(sqrt(norm), self.max_norm) for norm in np.diagonal(gram).tolist()]
        scale = np.array([ldexp(integer, -shift) for integer, shift in factors])
        inner = self.rule.plan(updates, gram * scale[:, None] * scale[None, :])
        if all(factor == _WHOLE for factor in factors):
            return inner
        kept = SCALE_BITS - _dropped_bits(max(inner.coefficient_sum, inner.divisor, self._largest_sum(inner, gram)))
        terms = [[_product(*both, kept) for both in zip(row, factors, strict=True)] for row in inner.terms]
        rows, shifts = (tuple(tuple(term[part] for term in row) for row in terms) for part in (0, 1))
        return Plan(
            rows=rows,
            divisor=inner.divisor << kept,
            shifts=shifts if any(map(any, shifts)) else (),
            reduction=inner.reduction,
            scores=inner.scores,
        ).in_lowest_terms()

    def _largest_sum(self, inner: Plan, gram: Gram) -> int:
        """Most that the inner plan adds up, in units of the largest element that the precision counts on. Where the
        rule inside clips, too, its coefficients are small because it may be given much, and their sum tells nothing."""
        clipped = [min(sqrt(norm), self.max_norm) for norm in np.diagonal(gram).tolist()]
        return ceil(inner.largest_sum(clipped) / self.rule.element_bound(self.max_norm * NORM_MARGIN))


_WHOLE: Term = (1, 0)
_NOTHING: Term = (0, 0)


def _factor(norm: float, max_norm: float) -> Term:
    """min(1, max_norm / norm), rounded down to 24 significant bits. Exponents are taken apart: no quotient is too small
    to be one."""
    if norm <= max_norm:
        return _WHOLE
    (limit, limit_exponent), (length, length_exponent) = frexp(max_norm), frexp(norm)
    quotient, exponent = frexp(limit / length)
    return int(ldexp(quotient, SIGNIFICANT_BITS)), SIGNIFICANT_BITS + length_exponent - limit_exponent - exponent


def _product(term: Term, factor: Term, kept: int) -> Term:
    """term * factor * 2**kept."""
    if not term[0]:
        return _NOTHING
    integer, shift = term[0] * factor[0], term[1] + factor[1] - kept
    return shortened(integer << max(-shift, 0), max(shift, 0))


def _dropped_bits(total: int) -> int:
    """How many of the scale's bits must go so that sums of about `total` stay within the bound."""
    dropped = 0
    while dropped < SCALE_BITS and total * SCALE >> dropped > MAX_COMPOSED_SUM:
        dropped += 1
    return dropped
