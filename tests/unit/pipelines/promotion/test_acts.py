"""What operators sign about a task's decisions."""

import pytest

from fluvial.identity.keys import SigningKey
from fluvial.wire.records import PromotionDecision
from pipelines.promotion.logic import (
    MAX_UNHEARD,
    TaskPromotions,
    decide,
    with_act,
    with_measurement,
    with_promotion,
    with_spec,
    with_variant,
)
from tests.unit.pipelines.promotion.acts import a_spec, an_act
from tests.unit.pipelines.promotion.builders import HARMFUL, SPEC, a_measurement, a_variant

OPERATOR = SigningKey.generate()


def decided(spec, measurement=None):
    state = with_spec(TaskPromotions(), spec, OPERATOR.public_key)
    state = with_measurement(with_variant(state, a_variant()), measurement or a_measurement(), bytes(32))
    state, (decision,) = decide(state, 1_000)
    return state, decision


def acted(state, *acts):
    for act in acts:
        state = with_act(state, *act)
    return decide(state, 2_000)


def test_what_is_within_its_margins_waits_for_as_many_operators_as_the_policy_says():
    state, decision = decided(a_spec())
    assert decision.decision is PromotionDecision.AWAITING
    assert decision.reason.startswith("awaiting 2 operators, who must sign: int8 loses at most")
    state, none = acted(state, an_act(operator="north"), an_act(operator="north", reason="again"))
    assert none == []
    state, (promoted,) = acted(state, an_act(operator="south", reason="fine"))
    assert promoted.decision is PromotionDecision.PROMOTED
    assert promoted.reason == "promoted by north, south: seen and agreed; fine"
    assert (promoted.sequence, promoted.signers, len(promoted.acts)) == (2, ("north", "south"), 2)
    assert (promoted.measurements, promoted.findings) == (decision.measurements, decision.findings)
    assert acted(state, an_act(operator="west"))[1] == []


def test_an_act_that_came_before_the_decision_of_its_log_is_acted_upon_when_that_is_known():
    state = with_spec(TaskPromotions(), a_spec(1), OPERATOR.public_key)
    state, none = acted(state, an_act())
    assert none == []
    state = with_measurement(with_variant(state, a_variant()), a_measurement(), bytes(32))
    _, decisions = decide(state, 1_000)
    assert [d.decision.value for d in decisions] == ["AWAITING", "PROMOTED"]


@pytest.mark.parametrize(
    "act",
    [
        an_act(operator="stranger"),
        an_act(key=SigningKey.generate()),
        an_act(artefact_sha256=b"\x08" * 32),
        an_act(task="other"),
        an_act(reason=""),
        an_act(reason="a\nb"),
        an_act("ROLL_BACK"),
        an_act(promotion=7),
    ],
)
def test_what_no_operator_signed_or_does_not_fit_changes_nothing(act):
    state, _ = decided(a_spec(1))
    assert acted(state, act)[1] == []


def test_what_harms_cannot_be_promoted_by_anybody():
    state, decision = decided(a_spec(1), a_measurement(HARMFUL))
    assert decision.decision is PromotionDecision.HELD
    assert acted(state, an_act("PROMOTE"), an_act("HOLD", "south"))[1] == []


def test_one_operator_is_enough_to_roll_back_and_to_hold():
    state, decision = decided(SPEC)
    assert decision.decision is PromotionDecision.PROMOTED
    federation = {"operator": "operator", "key": OPERATOR}
    state, (back,) = acted(state, an_act("ROLL_BACK", reason="answers are late", **federation))
    assert (back.decision, back.reason) == (PromotionDecision.ROLLED_BACK, "rolled back by operator: answers are late")
    assert acted(state, an_act("HOLD", promotion=2, **federation))[1] == []
    state, _ = decided(a_spec(2))
    _, (held,) = acted(state, an_act("HOLD", "west"), an_act("PROMOTE", "north"))
    assert (held.decision, held.signers) == (PromotionDecision.HELD, ("west",))


def test_acts_that_come_before_the_terms_wait_for_them_but_not_without_end():
    _, decision = decided(a_spec(1))
    early = TaskPromotions()
    for number in range(MAX_UNHEARD + 5):
        early = with_act(early, *an_act(reason=f"number {number}"))
    assert len(early.unheard) == MAX_UNHEARD
    early = with_promotion(with_spec(early, a_spec(1), OPERATOR.public_key), decision)
    assert early.unheard == ()
    _, (promoted,) = decide(early, 2_000)
    assert promoted.reason == "promoted by north: number 0"


def test_a_job_that_lost_its_state_acts_upon_nothing_twice():
    state, decision = decided(a_spec(1))
    _, (promoted,) = acted(state, an_act())
    again = with_spec(TaskPromotions(), a_spec(1), OPERATOR.public_key)
    for known in (promoted, decision):
        again = with_promotion(again, known)
    assert acted(again, an_act())[1] == []
