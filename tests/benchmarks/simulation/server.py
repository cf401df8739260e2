"""What the federation's side does with a round's updates: admission's limit, the rule, the exact sum, the new model.

Shapes: N updates, D parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from models.aggregation.combination import combine_chunk
from models.aggregation.gram import partial_gram, total_gram
from models.aggregation.plan import Measure, Plan, RoundUpdates, Rule
from models.aggregation.precision import fraction_bits
from models.aggregation.staleness import Constant, Staleness, aged

CHUNK_ELEMENTS = 4096
Vector = NDArray[np.float32]
Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Aggregates rounds of up to `target` updates. max_abs: of an element, beyond which an update is refused."""

    rule: Rule
    target: int
    max_weight: int = 1
    max_abs: float = 1024.0
    staleness: Staleness = field(default_factory=Constant)

    def delta(
        self,
        updates: Matrix,
        participants: Sequence[str],
        weights: Sequence[int] | None = None,
        lags: Sequence[int] | None = None,
    ) -> NDArray[np.float64] | None:
        """The mean delta float64[D] that the rule makes of updates float32[N, D], or None: the round fails.

        A round fails if so many updates are refused that the rule cannot decide. Weights are 1 by default; lags, the
        versions by which each update's base is older than the newest one, are 0. Updates are ordered by digest, as in
        the federation.
        """
        claimed = [1] * len(updates) if weights is None else weights
        limit = np.abs(updates).max(axis=1)
        admitted = [row for row in range(len(updates)) if np.isfinite(limit[row]) and limit[row] <= self.max_abs]
        admitted.sort(key=lambda row: sha256(updates[row].tobytes()).digest() + participants[row].encode())
        try:
            self.rule.check_quorum(len(admitted))
            taken = RoundUpdates(
                participants=tuple(participants[row] for row in admitted),
                weights=tuple(claimed[row] for row in admitted),
            )
            rows = updates[admitted]
            plan = self.rule.plan(taken, self._gram(rows))
        except ValueError:
            return None
        behind = [0] * len(updates) if lags is None else lags
        return self._combine(rows, aged(plan, tuple(behind[row] for row in admitted), self.staleness))

    def _gram(self, rows: Matrix) -> NDArray[np.float64] | None:
        if self.rule.measure is Measure.NONE:
            return None
        return total_gram(partial_gram(list(rows[:, chunk])) for chunk in _chunks(rows.shape[1]))

    def _combine(self, rows: Matrix, plan: Plan) -> NDArray[np.float64]:
        bits = fraction_bits(
            self.rule,
            target=self.target,
            max_weight=self.max_weight,
            max_abs=self.max_abs,
            unit=self.staleness.unit,
        )
        return np.concatenate([combine_chunk(list(rows[:, chunk]), plan, bits) for chunk in _chunks(rows.shape[1])])


def applied(model: Vector, delta: NDArray[np.float64] | None) -> Vector:
    """The next model float32[D]; the same one after a round that failed."""
    if delta is None:
        return model
    following: Vector = (model + delta).astype(np.float32)
    return following


def _chunks(size: int) -> list[slice]:
    return [slice(first, first + CHUNK_ELEMENTS) for first in range(0, size, CHUNK_ELEMENTS)]
