"""What becomes of a round's updates. Pure: a rule, the measurements it asks for, a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, ldexp

import numpy as np
import numpy.typing as npt

from fluvial.wire.records import AcceptedUpdate, Round
from models.aggregation.clipped import NORM_MARGIN
from models.aggregation.fixed_point import MAX_TOTAL_WEIGHT, SUM_BITS
from models.aggregation.gram import total_gram
from models.aggregation.plan import Measure, Plan, RoundUpdates
from models.aggregation.rule import Rule, parse_rule
from models.aggregation.staleness import aged, parse_staleness

_MOST = 2.0**SUM_BITS * (1.0 + 2.0**-10)
"""Largest sum that a plan may lead to, by float64's reckoning; int64 holds nearly twice that."""
_MOST_RECORDED = (1 << 63) - 1


def adds_as_they_come(round_: Round) -> bool:
    """Whether updates enter the round's sums as they arrive. A rule that this job does not know decides nothing."""
    rule = _rule_of(round_)
    return rule is not None and rule.linear


def needs_measurement(round_: Round) -> bool:
    """Whether the rule compares updates, so that shards must measure them first."""
    rule = _rule_of(round_)
    return rule is not None and rule.measure is not Measure.NONE


def _rule_of(round_: Round) -> Rule | None:
    try:
        return parse_rule(round_.rule)
    except ValueError:
        return None


def in_order(updates: Sequence[AcceptedUpdate]) -> list[AcceptedUpdate]:
    """The updates ordered by the digest of their records: the order of rows in every computation."""
    return sorted(updates, key=lambda update: update.record_sha256)


def plan(round_: Round, updates: Sequence[AcceptedUpdate], measured: Mapping[int, npt.NDArray[np.float64]]) -> Plan:
    """The rule's plan, each update aged by the rounds that it lags behind.

    updates: N, in order. measured: by chunk, what the rule asks for: float64[N, N], or its diagonal float64[N]; empty
    for rules that ask for nothing. Raises ValueError or ArithmeticError if the rule cannot decide, or asks for sums
    that the round's fraction bits leave no room for.
    """
    rule = parse_rule(round_.rule)
    gram = None
    if rule.measure is not Measure.NONE:
        with np.errstate(over="raise", invalid="raise"):
            gram = total_gram(measured[chunk] for chunk in sorted(measured))
    if gram is not None and gram.ndim == 1:
        gram = np.diag(gram)
    participants, weights = zip(*((update.participant, update.weight) for update in updates), strict=True)
    decided = rule.plan(RoundUpdates(participants=participants, weights=weights), gram)
    lags = tuple(round_.round - update.round for update in updates)
    decided = aged(decided, lags, parse_staleness(round_.staleness))
    norms = [inf] * len(updates) if gram is None else np.sqrt(np.diagonal(gram)).tolist()
    largest = decided.largest_sum([min(round_.max_abs, norm * NORM_MARGIN) for norm in norms])
    if ldexp(largest, round_.fraction_bits) > _MOST or decided.divisor >= MAX_TOTAL_WEIGHT:
        raise ValueError(f"coefficients of {decided.coefficient_sum} or divisor {decided.divisor} overflow the sums")
    if max(decided.effective_weights) > _MOST_RECORDED:
        raise ValueError(f"a coefficient of {max(decided.effective_weights)} is no 64-bit number")
    if round_.partial and decided.reduction is not None:
        raise ValueError("the partial sum of a region needs a rule that adds updates up")
    return decided
