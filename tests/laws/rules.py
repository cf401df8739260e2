"""Rules under test, and one round of aggregation without the engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.aggregation.combination import combine_chunk, next_chunk
from models.aggregation.gram import partial_gram, total_gram
from models.aggregation.plan import Measure, Plan, RoundUpdates
from models.aggregation.precision import fraction_bits
from models.aggregation.rule import Rule, parse_rule

MAX_WEIGHT = 1000
MAX_ABS = 64.0
ROOT = "participant-0"


def rule(name: str, **parameters: Any) -> Rule:
    """Rule by name; parameters that are rules may be given as such."""
    return parse_rule({"name": name, **parameters})


def mixing(num_byzantine: int, inner: dict[str, Any]) -> dict[str, Any]:
    """Nearest-neighbour mixing before another rule, as in a task file."""
    return {"name": "nearest_neighbour_mixing", "num_byzantine": num_byzantine, "rule": inner}


def clipping(max_norm: float, inner: dict[str, Any]) -> dict[str, Any]:
    """Norm clipping before another rule, as in a task file."""
    return {"name": "clipped", "max_norm": max_norm, "rule": inner}


TRIMMED = {"name": "trimmed_mean", "num_byzantine": 2}
KRUM = {"name": "multi_krum", "num_byzantine": 2}
MEDIAN = {"name": "median"}
MEAN = {"name": "weighted_mean"}

BY_NAME: dict[str, Rule] = {
    "weighted mean": rule("weighted_mean"),
    "unweighted mean": rule("unweighted_mean"),
    "median": rule("median"),
    "trimmed mean": rule(**TRIMMED),
    "krum": rule("krum", num_byzantine=2),
    "multi-krum": rule(**KRUM),
    "multi-krum of three": rule("multi_krum", num_byzantine=1, num_selected=3),
    "bulyan": rule("bulyan", num_byzantine=1),
    "geometric median": rule("geometric_median"),
    "centered clipping": rule("centered_clipping", radius=32.0),
    "fltrust": rule("fltrust", root_participant=ROOT),
    "mixing, trimmed mean": parse_rule(mixing(2, TRIMMED)),
    "mixing, median": parse_rule(mixing(2, MEDIAN)),
    "mixing, multi-krum": parse_rule(mixing(2, KRUM)),
    "clipping, weighted mean": parse_rule(clipping(32.0, MEAN)),
    "clipping, mixing, trimmed mean": parse_rule(clipping(32.0, mixing(2, TRIMMED))),
    "mixing, clipping, geometric median": parse_rule(mixing(2, clipping(32.0, {"name": "geometric_median"}))),
    "short clipping, median": parse_rule(clipping(1.0, MEDIAN)),
    "short clipping twice, weighted mean": parse_rule(clipping(2.0, clipping(1.0, MEAN))),
}


@dataclass(frozen=True)
class Updates:
    """A round's deltas float32[N, D], weights and participants, in any order."""

    rows: NDArray[np.float32]
    weights: Sequence[int]
    participants: Sequence[str]

    @classmethod
    def of(cls, rows: NDArray[np.float32], weights: Sequence[int] | None = None) -> "Updates":
        """Participants are numbered as the rows are; weights are 1 by default."""
        names = [f"participant-{number}" for number in range(len(rows))]
        return cls(rows, weights if weights is not None else [1] * len(rows), names)

    def reordered(self, order: Sequence[int]) -> "Updates":
        """The same updates, arrived in another order."""
        return Updates(self.rows[list(order)], [self.weights[i] for i in order], [self.participants[i] for i in order])

    def by_digest(self) -> "Updates":
        """Ordered by what stands in for their records' digests."""
        keys = [(row.tobytes(), weight, name) for row, weight, name in zip(*self._columns(), strict=True)]
        return self.reordered(sorted(range(len(keys)), key=lambda index: keys[index]))

    def _columns(self) -> tuple[Any, Any, Any]:
        return self.rows, self.weights, self.participants


def bits_of(rule: Rule, num_updates: int, max_abs: float = MAX_ABS) -> int:
    """Fraction bits of rounds with so many updates."""
    return fraction_bits(rule, target=num_updates, max_weight=MAX_WEIGHT, max_abs=max_abs)


def plan_of(rule: Rule, updates: Updates, chunks: Sequence[slice] = (slice(None),)) -> Plan:
    """The rule's plan of updates in digest order, measured chunk by chunk."""
    gram = None
    if rule.measure is not Measure.NONE:
        gram = total_gram(partial_gram([row[chunk] for row in updates.rows]) for chunk in chunks)
    if gram is not None and rule.measure is Measure.NORMS:
        gram = np.diag(np.diagonal(gram))
    return rule.plan(RoundUpdates(participants=tuple(updates.participants), weights=tuple(updates.weights)), gram)


def mean_delta(rule: Rule, updates: Updates, max_abs: float = MAX_ABS) -> NDArray[np.float64]:
    """The aggregate float64[D] of one round."""
    ordered = updates.by_digest()
    return combine_chunk(list(ordered.rows), plan_of(rule, ordered), bits_of(rule, len(ordered.rows), max_abs))


def aggregate(rule: Rule, updates: Updates, max_abs: float = MAX_ABS) -> NDArray[np.float32]:
    """The new model float32[D], from a base of zeros."""
    return next_chunk(np.zeros(updates.rows.shape[1], np.float32), mean_delta(rule, updates, max_abs))
