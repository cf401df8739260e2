"""Whatever updates are admitted, every rule makes an aggregate of them: finite, within the limits' reach, without a sum
that overflows."""

import json
from dataclasses import fields
from math import sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.aggregation.combination import combine_chunk
from models.aggregation.gram import partial_gram
from models.aggregation.plan import Measure, Plan
from models.aggregation.precision import fraction_bits
from models.aggregation.rule import RULES, Rule, parse_rule
from pipelines.aggregation.rule import plan_message, selection
from tests.laws.effort import examples
from tests.laws.rules import BY_NAME, KRUM, MAX_WEIGHT, MEAN, MEDIAN, clipping, mixing, rule
from tests.unit.pipelines.aggregation.builders import a_round, an_update

N, D = 7, 3
HARSH: dict[str, Rule] = {
    "geometric median, finest": rule("geometric_median", smoothing=5e-324),
    "geometric median, once": rule("geometric_median", num_iterations=1),
    "centered clipping, tiny radius": rule("centered_clipping", radius=5e-324),
    "clipping to nearly nothing, krum": parse_rule(clipping(1e-30, {"name": "krum", "num_byzantine": 2})),
    "clipping, multi-krum of one": parse_rule(clipping(1.0, {**KRUM, "num_selected": 1})),
    "mixing, clipping, mean": parse_rule(mixing(0, clipping(1e-3, MEAN))),
    "clipping, mixing, clipping, median": parse_rule(clipping(5.0, mixing(2, clipping(1e-3, MEDIAN)))),
    "mixing, fltrust": parse_rule(mixing(2, {"name": "fltrust", "root_participant": "participant-0"})),
    "mixing, centered clipping": parse_rule(mixing(2, {"name": "centered_clipping", "radius": 1e-3})),
    "mixing, mixing, bulyan": parse_rule(mixing(1, mixing(1, {"name": "bulyan", "num_byzantine": 1}))),
}
EVERY_RULE = [pytest.param(rule, id=name) for name, rule in {**BY_NAME, **HARSH}.items()]

largest = st.sampled_from([2.0**-140, 1e-20, 1.0, 1e6, 2.0**28 - 1])
kinds = st.sampled_from(["any", "equal", "opposite", "cancelling", "one far"])


@st.composite
def rounds(draw: st.DrawFn) -> tuple[NDArray[np.float32], float]:
    """Updates float32[N, D] and the max_abs that admits them."""
    max_abs = draw(largest)
    most = float(np.nextafter(np.float32(max_abs), np.float32(0)))
    special = st.sampled_from([0.0, most, -most, 2.0**-149, -(2.0**-149), most / 3])
    elements = special | st.floats(-most, most, width=32, allow_subnormal=True)
    rows = draw(arrays(np.float32, (N, D), elements=elements))
    kind = draw(kinds)
    if kind == "equal":
        rows[1:] = rows[0]
    elif kind == "opposite":
        rows[: N // 2] = -rows[N // 2 : 2 * (N // 2)]
    elif kind == "cancelling":
        total = rows[: N - 2].astype(np.float64).sum(axis=0) / N
        rows[N - 2] = -total.astype(np.float32)
        rows[N - 1] = -(total + rows[N - 2]).astype(np.float32)
    elif kind == "one far":
        rows[1:] *= np.float32(2.0**-30)
        rows[0] = most
    return rows, max_abs


@pytest.mark.parametrize("rule", EVERY_RULE)
@examples(10)
@given(updates=rounds(), weights=st.lists(st.sampled_from([1, 3, MAX_WEIGHT]), min_size=N, max_size=N))
def test_every_rule_makes_an_aggregate(
    rule: Rule, updates: tuple[NDArray[np.float32], float], weights: list[int]
) -> None:
    rows, max_abs = updates
    plan, bits = planned(rule, rows, weights, max_abs)
    with np.errstate(all="raise", under="ignore"):
        delta = combine_chunk(list(rows), plan, bits)
    assert np.isfinite(delta).all()
    assert (np.abs(delta) <= sqrt(D) * max_abs * (1 + 1e-6) + N * 2.0**-bits).all()
    taken = [row for row, weight in zip(rows, plan.effective_weights, strict=True) if weight]
    again = combine_chunk(taken, plan_message.load(plan_message.dump(plan)), bits)
    assert again.tobytes() == delta.tobytes(), "the plan's message says all of it"


def planned(rule: Rule, rows: NDArray[np.float32], weights: list[int], max_abs: float) -> tuple[Plan, int]:
    """The round's plan as the jobs make it, and its fraction bits."""
    bits = fraction_bits(rule, target=N, max_weight=MAX_WEIGHT, max_abs=max_abs)
    round_ = a_round(rule=as_json(rule), max_abs=max_abs, max_weight=MAX_WEIGHT, fraction_bits=bits)
    updates = [
        an_update(number, participant=f"participant-{number}", weight=weight) for number, weight in enumerate(weights)
    ]
    measured = {} if rule.measure is Measure.NONE else {0: partial_gram(list(rows))}
    if rule.measure is Measure.NORMS:
        measured = {0: np.diagonal(measured[0])}
    return selection.plan(round_, updates, measured), bits


def as_json(rule: Rule) -> str:
    """As in a task file."""

    def described(each: Any) -> Any:
        if not hasattr(each, "name"):
            return each
        return {"name": each.name, **{field.name: described(getattr(each, field.name)) for field in fields(each)}}

    return json.dumps(described(rule))


def test_the_law_covers_every_rule() -> None:
    assert {each.name for each in {**BY_NAME, **HARSH}.values()} == set(RULES)
