"""Decisions of one task, from what was measured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluvial.wire.records import PromotionDecision
from governance.promotion.measurements import judged
from pipelines.promotion.logic import (
    TaskPromotions,
    decide,
    with_measurement,
    with_promotion,
    with_spec,
    with_variant,
)
from tests.unit.pipelines.promotion.builders import FINE, HARMFUL, SPEC, a_measurement, a_variant, counts, everything

START = with_spec(TaskPromotions(), SPEC, bytes(32))


def run(*records, state=START):
    decisions = []
    for number, record in enumerate(records):
        if hasattr(record, "measurer"):
            state = with_measurement(state, record, bytes([number]) * 32)
        else:
            state = with_variant(state, record)
        state, made = decide(state, 1_000)
        decisions += made
    return state, decisions


def test_a_variant_that_harms_a_group_is_held_in_words():
    _, (decision,) = run(a_variant(), a_measurement(HARMFUL))
    assert decision.decision is PromotionDecision.HELD
    assert decision.reason == (
        "held: int8 loses 7.9 points of recall for defaulters aged 50 to 80 (21 harmed, 0 helped of 266), margin 2.0"
    )
    assert decision.findings[0].group == "age:50-80"
    assert (decision.sequence, decision.gate_uses) == (1, 1)
    assert decision.policy_sha256 == SPEC.policy.digest()


def test_a_measurement_may_overtake_its_variant():
    _, (decision,) = run(a_measurement(), a_variant())
    assert decision.decision is PromotionDecision.PROMOTED


def test_a_decision_holds_for_its_class_of_processors_alone():
    _, decisions = run(a_variant(), a_measurement(), a_measurement(HARMFUL, processor="AVX512_VNNI"))
    assert [(d.processor, d.decision.value) for d in decisions] == [("AVX2", "PROMOTED"), ("AVX512_VNNI", "HELD")]
    assert [d.sequence for d in decisions] == [1, 2]


def test_what_comes_again_changes_nothing():
    records = a_variant(), a_measurement(), a_measurement(HARMFUL), a_variant()
    state, decisions = run(*records)
    assert [d.decision for d in decisions] == [PromotionDecision.PROMOTED]
    assert run(*records, state=state)[1] == []


def test_a_job_that_lost_its_state_decides_nothing_twice():
    _, (decision,) = run(a_variant(), a_measurement(HARMFUL))
    recovered = with_promotion(START, decision)
    state, again = run(a_variant(), a_measurement(HARMFUL), state=recovered)
    assert again == []
    assert state.sequence == 1


def test_a_measurement_of_other_bytes_decides_nothing():
    assert run(a_variant(), a_measurement(artefact_sha256=b"\x08" * 32))[1] == []


def test_a_variant_that_the_task_does_not_name_is_not_decided_upon():
    assert run(a_variant(name="other"), a_measurement(name="other"))[1] == []


def test_undecided_is_decided_when_more_is_known():
    few = everything(150)
    own = {"data": "own", "processor": "NEON"}
    first = a_measurement(few, measurer="anna", **own)
    more = everything(4_000)
    _, decisions = run(
        a_variant(), first, a_measurement(more, measurer="ben", **own), a_measurement(more, measurer="carl", **own)
    )
    assert [d.decision.value for d in decisions] == ["UNDECIDED", "UNDECIDED", "PROMOTED"]


def test_one_liar_among_three_participants_decides_nothing():
    lies = [a_measurement((counts("accuracy", "all", 10**9),), measurer="liar", data="own", num_examples=10**9)]
    honest = [
        a_measurement((counts("accuracy", "all", 1_000, 100),), measurer=name, data="own") for name in ("anna", "ben")
    ]
    judgement = judged(SPEC, [*lies, *honest])
    assert judgement.decision.value == "HELD"


def test_a_participant_with_a_workers_name_keeps_no_worker_from_measuring():
    own = a_measurement((counts("agreement", "all", 1_000),), measurer="aggregator", data="own")
    _, decisions = run(a_variant(), own, a_measurement(HARMFUL))
    assert decisions[-1].decision is PromotionDecision.HELD
    assert len(decisions[-1].measurements) == 2


def test_what_was_promoted_is_held_when_participants_show_harm_later_and_nothing_less_changes_it():
    fine, bad = everything(4_000, 4), everything(4_000, 400)

    def own(name, rows):
        return a_measurement(rows, measurer=name, data="own", processor="NEON")

    state, decisions = run(a_variant(), own("anna", fine), own("ben", fine))
    assert [d.decision.value for d in decisions] == ["UNDECIDED", "PROMOTED"]  # nobody promotes alone
    assert decisions[0].reason == "undecided: 1 more participant must have measured int8"
    assert decisions[1].gate_uses == 0
    state, decisions = run(own("carl", bad), state=state)
    assert decisions == []
    state, decisions = run(own("dora", bad), own("emil", bad), state=state)
    assert [d.decision.value for d in decisions] == ["HELD"]
    assert run(own("fritz", fine), own("gerd", fine), own("hugo", fine), state=state)[1] == []


def test_one_participant_cannot_hold_what_no_worker_measured_nor_can_half_of_them():
    fine, bad = everything(4_000, 4), everything(4_000, 400)
    state, (decision,) = run(a_variant(), own(bad, "liar"))
    assert decision.decision.value == "UNDECIDED"
    assert decision.reason.startswith("undecided: too few participants tell that int8 loses 10.0 points of")
    state, decisions = run(own(fine, "anna"), state=state)
    assert [d.decision.value for d in decisions] == ["UNDECIDED"], "one of two is not more than half"
    _, decisions = run(own(fine, "ben"), state=state)
    assert [d.decision.value for d in decisions] == ["PROMOTED"]
    _, decisions = run(own(bad, "carl"), state=state)
    assert [d.decision.value for d in decisions] == ["HELD"]
    _, decisions = run(a_variant(), own(fine, "anna"), a_measurement(HARMFUL, processor="NEON"))
    assert decisions[-1].decision.value == "HELD", "a worker's counts stand for themselves"


def test_what_could_not_be_compared_is_said_where_a_variant_may_serve():
    rows = (*FINE, counts("accuracy", "age:50-80", 400, 0, 1), counts("recall:0", "age:50-80", 395, 0, 1))
    _, (decision,) = run(a_variant(), a_measurement(rows))
    assert decision.decision is PromotionDecision.PROMOTED
    assert decision.reason.endswith(
        "; not compared, for want of people or of a second class: agreement for those aged 50 to 80, recall for "
        "defaulters aged 50 to 80"
    )


def test_only_the_policys_metrics_decide():
    spec = SPEC.model_copy(update={"policy": SPEC.policy.model_copy(update={"metrics": ("accuracy",)})})
    assert judged(spec, [a_measurement(HARMFUL)]).decision.value == "PROMOTED"


@given(st.permutations([a_variant(), a_variant("onnx"), a_measurement(HARMFUL), a_measurement(FINE, "onnx")]))
def test_in_whatever_order_records_come_each_variant_has_the_same_decision(records):
    _, decisions = run(*records)
    assert {d.variant: d.decision.value for d in decisions} == {"int8": "HELD", "onnx": "PROMOTED"}
    assert [d.sequence for d in decisions] == [1, 2]


def own(rows, measurer="anna", **changes):
    return a_measurement(rows, measurer=measurer, data="own", data_sha256=b"", processor="NEON", **changes)


@pytest.mark.parametrize(
    "rows",
    [
        (counts("agreement", "all", 12_000, 3),),
        (counts("accuracy", "x:y", 12_000, 3),),
        (counts("recall:7", "x:y", 12_000, 3),),
        everything(12_000)[:3:2],
    ],
)
@pytest.mark.parametrize("undecided", ["hold", "allow"])
def test_a_metric_that_nobody_measured_of_everybody_promotes_nothing(rows, undecided):
    spec = SPEC.model_copy(update={"policy": SPEC.policy.model_copy(update={"undecided": undecided})})
    reports = [own(rows, name) for name in ("anna", "ben", "carl")]
    assert judged(spec, reports).decision.value == "UNDECIDED"
    assert judged(spec, [a_measurement(FINE[:2])]).decision.value == "UNDECIDED"


def test_nobody_counts_as_an_organisation_that_measured_something_else():
    policy = SPEC.policy.model_copy(update={"metrics": ("accuracy",), "min_organisations": 3})
    spec = SPEC.model_copy(update={"policy": policy})
    fine, other = counts("accuracy", "all", 12_000, 3), counts("agreement", "all", 10)
    reports = [own((fine,)), own((other,), "ben"), own((counts("accuracy", "x:y", 10),), "carl")]
    assert judged(spec, reports).organisations_missing == 2
    with_worker = [a_measurement((fine,)), *reports]
    assert judged(spec, with_worker).organisations_missing == 2
    assert judged(spec, [own((fine,), name) for name in ("anna", "ben", "carl")]).decision.value == "PROMOTED"


def test_a_variant_that_was_not_built_is_promoted_by_nobody():
    assert run(a_variant(failure="does not fit"), own(FINE), own(FINE, "ben"), own(FINE, "carl"))[1] == []
