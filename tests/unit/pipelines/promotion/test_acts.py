"""What operators sign about a task's decisions."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluvial.identity.keys import SigningKey
from fluvial.wire.records import Measurement, PromotionDecision, Variant
from pipelines.promotion import logic
from pipelines.promotion.logic import (
    TaskPromotions,
    decide,
    with_act,
    with_measurement,
    with_promotion,
    with_spec,
    with_variant,
)
from tests.unit.pipelines.promotion.acts import KEYS, a_spec, an_act
from tests.unit.pipelines.promotion.builders import FINE, HARMFUL, SPEC, a_measurement, a_variant

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


def test_what_a_removed_operator_signed_before_counts_no_more_and_everybody_signs_again():
    state, decision = decided(a_spec(2))
    state, none = acted(state, an_act(operator="north"))
    assert none == []
    state = with_spec(state, without("north"), OPERATOR.public_key)
    state, (again,) = decide(state, 1_500)
    assert (again.decision, again.sequence) == (PromotionDecision.AWAITING, 2)
    assert again.policy_sha256 == without("north").policy.digest() != decision.policy_sha256
    state, none = acted(state, an_act(operator="south"), an_act(operator="west"))
    assert none == [], "they signed what is awaited no more"
    state, none = acted(state, an_act(operator="north", promotion=2), an_act(operator="south", promotion=2))
    assert none == []
    state, (promoted,) = acted(state, an_act(operator="west", promotion=2))
    assert (promoted.signers, promoted.policy_sha256) == (("south", "west"), again.policy_sha256)


@pytest.mark.parametrize("step", ["HOLD", "ROLL_BACK"])
def test_a_removed_operators_act_of_before_stops_nothing_that_comes_later(step):
    early = an_act(step, "north", promotion=1)
    state = with_act(with_spec(TaskPromotions(), a_spec(0), OPERATOR.public_key), *early)
    state = with_spec(state, without("north", operators=0), OPERATOR.public_key)
    state = with_measurement(with_variant(state, a_variant()), a_measurement(), bytes(32))
    state, (promoted,) = decide(state, 1_000)
    assert promoted.decision is PromotionDecision.PROMOTED
    assert acted(state, an_act(step, "north"))[1] == []
    assert len(acted(state, an_act(step, "south"))[1]) == 1, "one that the terms name can"


def test_another_key_of_the_same_name_is_another_operator():
    state, _ = decided(a_spec(1))
    keys = {**KEYS, "north": SigningKey.generate().public_key.hex()}
    state = with_spec(state, a_spec(1, keys), OPERATOR.public_key)
    state, (again,) = decide(state, 1_500)
    assert acted(state, an_act(promotion=again.sequence))[1] == []


def test_terms_that_ask_for_no_operators_any_more_let_what_waits_for_them_serve():
    state, _ = decided(a_spec(2))
    _, (promoted,) = decide(with_spec(state, a_spec(0), OPERATOR.public_key), 1_500)
    assert promoted.decision is PromotionDecision.PROMOTED


def test_terms_that_change_something_else_leave_signatures_as_they_are():
    state, _ = decided(a_spec(2))
    state, _ = acted(state, an_act(operator="north"))
    renamed = a_spec(2).model_copy(update={"group_names": {"age:50-80": "old"}})
    state, none = decide(with_spec(state, renamed, OPERATOR.public_key), 1_500)
    assert none == []
    _, (promoted,) = acted(state, an_act(operator="south"))
    assert promoted.signers == ("north", "south")


def test_a_job_that_starts_again_counts_what_the_one_before_counted():
    """Which acts count follows from the terms in force, whenever the acts were written."""
    state, _ = decided(a_spec(2))
    state, _ = acted(state, an_act(operator="north"))
    terms = without("north")
    state, (again,) = decide(with_spec(state, terms, OPERATOR.public_key), 1_500)
    fresh = with_spec(TaskPromotions(), terms, OPERATOR.public_key)
    for act in (an_act(operator="north"), an_act(operator="south", promotion=2)):
        fresh, state = with_act(fresh, *act), with_act(state, *act)
    fresh = with_promotion(fresh, again)
    west = an_act(operator="west", promotion=2)
    assert acted(fresh, west)[1] == acted(state, west)[1] != []


def without(name, operators=2):
    return a_spec(operators, {other: key for other, key in KEYS.items() if other != name})


def test_a_job_that_lost_its_state_acts_upon_nothing_twice():
    state, decision = decided(a_spec(1))
    _, (promoted,) = acted(state, an_act())
    again = with_spec(TaskPromotions(), a_spec(1), OPERATOR.public_key)
    for known in (promoted, decision):
        again = with_promotion(again, known)
    assert acted(again, an_act())[1] == []


OF_SPECS = [a_spec(1), a_spec(2), a_spec(2, {name: KEYS[name] for name in ("north", "west")})]
RECORDS = [
    *OF_SPECS,
    a_variant(),
    a_variant("onnx"),
    a_measurement(),
    a_measurement(processor="NEON"),
    a_measurement(HARMFUL, "onnx"),
    *(a_measurement(rows, measurer=name, data="own") for rows in (HARMFUL, FINE) for name in ("anna", "ben")),
    *(
        an_act(step, name, promotion)
        for step in ("PROMOTE", "HOLD")
        for name in ("north", "south")
        for promotion in (1, 2)
    ),
]


@given(st.lists(st.sampled_from(range(len(RECORDS))), min_size=4, max_size=24))
def test_what_no_record_concerned_is_not_looked_at_again_and_would_not_have_been_decided_upon(numbers):
    def told(state, number):
        match RECORDS[number]:
            case Variant() as variant:
                return with_variant(state, variant)
            case Measurement() as measurement:
                return with_measurement(state, measurement, bytes([number]) * 32)
            case tuple() as act:
                return with_act(state, *act)
            case spec:
                return with_spec(state, spec, OPERATOR.public_key)

    few = all_ = with_spec(TaskPromotions(), a_spec(), OPERATOR.public_key)
    for number in [*numbers, *range(len(RECORDS))]:
        few, of_few = decide(told(few, number), 1_000)
        all_, of_all = decide(replace(told(all_, number), due=None), 1_000)
        assert of_few == of_all
    assert few.due == all_.due


def test_of_many_versions_a_record_has_its_own_looked_at_alone(monkeypatch):
    state = with_spec(TaskPromotions(), SPEC, OPERATOR.public_key)
    for version in range(50):
        state = with_measurement(
            with_variant(state, a_variant(version=version)), a_measurement(version=version), bytes([version]) * 32
        )
        state, _ = decide(state, 1_000)
    looked_at = []
    decision = logic._decision
    monkeypatch.setattr(
        logic, "_decision", lambda state, subject, now_ms: looked_at.append(subject) or decision(state, subject, now_ms)
    )
    decide(with_measurement(state, a_measurement(version=7, measurer="anna", data="own"), bytes([99]) * 32), 1_000)
    assert [subject[0] for subject in looked_at] == [7]
