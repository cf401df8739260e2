"""Norm clipping before any rule: x_i * min(1, max_norm / |x_i|). Source: Sun et al., 2019, "Can You Really Backdoor
Federated Learning?", section 4.

An update of norm 0 stays as it is. Factors are rounded down to 24 bits, so a clipped update is no longer than max_norm
(as far as its norm is known); with the coefficients of the rule inside they keep as many of these bits as leave their
sum below 2**28. What no update exceeds changes nothing: the plan is the inner rule's, exactly. By itself clipping
bounds what an update can do, it does not find out who attacks. Shapes: N updates.
"""

from dataclasses import dataclass
from math import isfinite, sqrt
from typing import ClassVar

import numpy as np

from models.aggregation.coefficients import MAX_COMPOSED_SUM, SCALE, SCALE_BITS
from models.aggregation.plan import DeferredRule, Gram, Measure, Plan, RoundUpdates, Rule, measured


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

    def plan(self, updates: RoundUpdates, gram: Gram | None = None) -> Plan:
        """The inner rule's plan of the clipped updates, as a plan of the updates."""
        gram = measured(gram, updates)
        factors = [_factor(sqrt(norm), self.max_norm) for norm in np.diagonal(gram).tolist()]
        scale = np.array(factors) / SCALE
        inner = self.rule.plan(updates, gram * scale[:, None] * scale[None, :])
        if all(factor == SCALE for factor in factors):
            return inner
        dropped = _dropped_bits(max(inner.coefficient_sum, inner.divisor))
        rows = tuple(
            tuple(coefficient * factor >> dropped for coefficient, factor in zip(row, factors, strict=True))
            for row in inner.rows
        )
        divisor = inner.divisor << (SCALE_BITS - dropped)
        return Plan(rows=rows, divisor=divisor, reduction=inner.reduction, scores=inner.scores).in_lowest_terms()


def _factor(norm: float, max_norm: float) -> int:
    return SCALE if norm <= max_norm else int(max_norm / norm * SCALE)


def _dropped_bits(total: int) -> int:
    """How many of the factors' bits must go so that sums of about `total` stay within the bound."""
    dropped = 0
    while dropped < SCALE_BITS and total * SCALE >> dropped > MAX_COMPOSED_SUM:
        dropped += 1
    return dropped
