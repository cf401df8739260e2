"""What operators may do, said in two places."""

import pytest

from fluvial.wire.operator_acts import ALLOWED, check_step
from fluvial.wire.records import OperatorStep, PromotionDecision
from governance.promotion.acts import STEPS
from governance.promotion.life import TRANSITIONS, VariantState


@pytest.mark.parametrize("step", OperatorStep)
@pytest.mark.parametrize("decision", PromotionDecision)
def test_the_client_and_the_gate_allow_the_same_acts(step, decision):
    allowed = (VariantState(decision.value), STEPS[step]) in TRANSITIONS
    assert (decision in ALLOWED[step]) == allowed
    if allowed:
        check_step(step, decision, "a reason")
    else:
        with pytest.raises(ValueError, match=f"what is {decision.value} cannot be"):
            check_step(step, decision, "a reason")


@pytest.mark.parametrize("reason", ["", " ", "x" * 501, "two\nlines"])
def test_a_reason_can_be_read_on_one_line(reason):
    with pytest.raises(ValueError, match="on one line"):
        check_step(OperatorStep.HOLD, PromotionDecision.PROMOTED, reason)
