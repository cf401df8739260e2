"""What operators may do about a decision on a variant, and what an act must be to count."""

from __future__ import annotations

from collections.abc import Mapping

from fluvial.wire.records import OperatorAct, OperatorStep, PromotionDecision

MAX_REASON = 500
"""Longest reason, characters."""

ALLOWED: Mapping[OperatorStep, frozenset[PromotionDecision]] = {
    OperatorStep.PROMOTE: frozenset({PromotionDecision.AWAITING}),
    OperatorStep.HOLD: frozenset({PromotionDecision.AWAITING, PromotionDecision.PROMOTED, PromotionDecision.UNDECIDED}),
    OperatorStep.ROLL_BACK: frozenset({PromotionDecision.PROMOTED}),
}
"""What each step can be done about. `governance.promotion.life` says the same of all that may become of a variant."""


def check_step(step: OperatorStep, decision: PromotionDecision, reason: str) -> None:
    """Whether this may be done about a decision. Raises ValueError, which says why not."""
    if decision not in ALLOWED[step]:
        possible = ", ".join(sorted(allowed.value for allowed in ALLOWED[step]))
        name = step.value.lower().replace("_", " ")
        raise ValueError(f"what is {decision.value} cannot be {_PARTICIPLES[step]}: a {name} is of what is {possible}")
    check_reason(reason)


def check_reason(reason: str) -> None:
    """Raises ValueError for a reason that is empty, too long, or holds what cannot be printed."""
    if not reason.strip() or len(reason) > MAX_REASON or not reason.isprintable():
        raise ValueError(f"a reason has 1 to {MAX_REASON} characters, all printable, on one line")


def done(act: OperatorAct) -> str:
    """What was done, in one word or two: promoted, held, rolled back."""
    return _PARTICIPLES[act.step]


_PARTICIPLES = {
    OperatorStep.PROMOTE: "promoted",
    OperatorStep.HOLD: "held",
    OperatorStep.ROLL_BACK: "rolled back",
}
