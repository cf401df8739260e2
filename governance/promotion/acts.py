"""What operators sign about a decision, and the decision that follows. Pure.

One operator can hold or roll back: to stop what harms must not need a quorum. To promote takes as many as the policy
says, and only what was shown to be within its margins, under the policy that is in force when they sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fluvial.wire.operator_acts import check_reason, done
from fluvial.wire.promotion_policy import PromotionPolicy
from fluvial.wire.records import OperatorAct, OperatorStep, Promotion, PromotionDecision
from governance.promotion.life import Step, VariantState, after

STEPS = {
    OperatorStep.PROMOTE: Step.OPERATORS_PROMOTE,
    OperatorStep.HOLD: Step.OPERATORS_HOLD,
    OperatorStep.ROLL_BACK: Step.ROLL_BACK,
}
"""What an act is in the life of a variant."""

SignedAct = tuple[bytes, OperatorAct]
"""An act whose signature was verified, and the SHA-256 of its record."""


def fits(act: OperatorAct, decision: Promotion, policy_sha256: bytes) -> bool:
    """Whether an act is about this decision, and may happen to it. policy_sha256: of the policy in force. What was
    found under another one is promoted by nobody: the gate decides on it again."""
    if act.step is OperatorStep.PROMOTE and decision.policy_sha256 != policy_sha256:
        return False
    if (act.task, act.promotion, act.artefact_sha256) != (decision.task, decision.sequence, decision.artefact_sha256):
        return False
    try:
        check_reason(act.reason)
        after(VariantState(decision.decision.value), STEPS[act.step])
    except ValueError:
        return False
    return True


def followed(decision: Promotion, acts: Sequence[SignedAct], policy: PromotionPolicy) -> Promotion | None:
    """What follows from acts that fit a decision; None while too few have signed. Its sequence and time are the
    caller's to set. acts: one for each operator and step, of operators whom the policy names: what follows names it."""
    by_step: dict[OperatorStep, dict[str, SignedAct]] = {}
    for signed in sorted(acts, key=lambda signed: signed[1].operator):
        by_step.setdefault(signed[1].step, {}).setdefault(signed[1].operator, signed)  # nobody signs for two
    needed = {OperatorStep.ROLL_BACK: 1, OperatorStep.HOLD: 1, OperatorStep.PROMOTE: max(1, policy.operators)}
    for step, enough in needed.items():
        signed_acts = list(by_step.get(step, {}).values())
        if len(signed_acts) < enough:
            continue
        names = tuple(act.operator for _, act in signed_acts)
        reasons = dict.fromkeys(act.reason for _, act in signed_acts)
        state = after(VariantState(decision.decision.value), STEPS[step])
        return replace(
            decision,
            decision=PromotionDecision(state.value),
            policy_sha256=policy.digest(),
            reason=f"{done(signed_acts[0][1])} by {', '.join(names)}: {'; '.join(reasons)}",
            signers=names,
            acts=tuple(digest for digest, _ in signed_acts),
        )
    return None
