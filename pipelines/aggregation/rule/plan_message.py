"""A plan on its way from the rule to the shards: JSON, of each row only what is not 0.

Updates that the plan leaves out are left out of the message too: the shards' columns are the updates taken in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from models.aggregation.plan import Plan
from models.aggregation.reduction import MeanAroundMedian, Median, Reduction, TrimmedMean

_REDUCTIONS: Mapping[str, type[Reduction]] = {
    "median": Median,
    "trimmed_mean": TrimmedMean,
    "mean_around_median": MeanAroundMedian,
}
_NAMES = {kind: name for name, kind in _REDUCTIONS.items()}


def dump(plan: Plan) -> bytes:
    """The plan without the columns of updates that it leaves out, and without its scores."""
    taken = [column for column, weight in enumerate(plan.effective_weights) if weight]
    narrow = plan.of_columns(taken)
    rows = [[[place, each] for place, each in enumerate(row) if each] for row in narrow.rows]
    for row, shifts in zip(rows, narrow.shifts, strict=False):
        for entry in row:
            entry += [shifts[entry[0]]] if shifts[entry[0]] else []
    reduction = None if plan.reduction is None else [_NAMES[type(plan.reduction)], asdict(plan.reduction)]
    body = {"updates": len(taken), "divisor": plan.divisor, "reduction": reduction, "rows": rows}
    return json.dumps(body, separators=(",", ":")).encode()


def load(data: bytes) -> Plan:
    """The plan of the updates that it takes in, in their order."""
    body = json.loads(data)
    rows, shifts = [], []
    for entries in body["rows"]:
        row, its_shifts = [0] * body["updates"], [0] * body["updates"]
        for place, coefficient, *shift in entries:
            row[place] = coefficient
            its_shifts[place] = shift[0] if shift else 0
        rows.append(tuple(row))
        shifts.append(tuple(its_shifts))
    reduction = None
    if body["reduction"] is not None:
        name, parameters = body["reduction"]
        reduction = _REDUCTIONS[name](**parameters)
    return Plan(
        rows=tuple(rows),
        divisor=body["divisor"],
        shifts=tuple(shifts) if any(map(any, shifts)) else (),
        reduction=reduction,
    )
