"""Decisions computed again from what they name."""

from dataclasses import fields, replace

import pytest

from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.records import PromotionDecision
from governance.promotion.evidence import LATE_MS, Evidence, TermsOfTask, missing_numbers
from governance.promotion.judgement import RULES
from governance.promotion.recomputation import Outcome, compared, differences
from pipelines.promotion.logic import TaskPromotions, decide, with_act, with_measurement, with_spec, with_variant
from tests.unit.pipelines.promotion.acts import KEYS, a_spec, an_act
from tests.unit.pipelines.promotion.builders import FINE, HARMFUL, a_measurement, a_variant, counts, everything

SPEC = a_spec(2)
ACTS = an_act(operator="north"), an_act(operator="south")
MEASUREMENTS = {b"\x01" * 32: a_measurement(), b"\x02" * 32: a_measurement(HARMFUL, "onnx")}


@pytest.fixture(scope="module")
def log():
    state = with_spec(TaskPromotions(), SPEC, bytes(32))
    decisions = []
    for variant in (a_variant(), a_variant("onnx")):
        state = with_variant(state, variant)
    for digest, measurement in MEASUREMENTS.items():
        state, made = decide(with_measurement(state, measurement, digest), 1_000)
        decisions += made
    for act in ACTS:
        state, made = decide(with_act(state, *act), 2_000)
        decisions += made
    assert [d.decision.value for d in decisions] == ["AWAITING", "HELD", "PROMOTED"]
    return Evidence(
        terms=(TermsOfTask(spec=SPEC),),
        variants={(8, name): a_variant(name) for name in ("int8", "onnx")},
        measurements=MEASUREMENTS,
        acts={digest: (envelope, act) for digest, envelope, act in ACTS},
        decisions={decision.sequence: decision for decision in decisions},
    )


@pytest.mark.parametrize("sequence", [1, 2, 3])
def test_what_was_decided_follows_from_its_evidence(log, sequence):
    assert differences(log.decisions[sequence], log) == []


@pytest.mark.parametrize(
    ("sequence", "change", "expected"),
    [
        (2, {"decision": PromotionDecision.PROMOTED}, "decision is recorded as PROMOTED, but follows as HELD"),
        (2, {"reason": "held: for fun"}, "reason is recorded as held: for fun"),
        (2, {"findings": ()}, "is not recorded"),
        (2, {"measurements": ()}, "nothing that was measured"),
        (2, {"measurements": (b"\x09" * 32,)}, "1 of 1 measurements are not there"),
        (2, {"measurements": (b"\x01" * 32,)}, "of another artefact, runtime or class"),
        (2, {"policy_sha256": bytes(32)}, "the registry no longer has the policy"),
        (2, {"artefact_sha256": bytes(32)}, "has other bytes"),
        (2, {"processor": "NEON"}, "of another artefact, runtime or class"),
        (2, {"variant": "none"}, "no such variant"),
        (3, {"signers": ("north", "west")}, "signers is recorded as"),
        (3, {"acts": ()}, "no act of an operator"),
        (3, {"findings": ()}, "is not recorded"),
        (3, {"decision": PromotionDecision.HELD}, "decision is recorded as HELD, but follows as PROMOTED"),
    ],
)
def test_what_does_not_follow_is_said(log, sequence, change, expected):
    found = differences(replace(log.decisions[sequence], **change), log)
    assert any(expected in difference for difference in found), found


def test_every_number_of_a_finding_counts(log):
    decision = log.decisions[2]
    first, *others = decision.findings
    for change in ({"harmed": 1}, {"bound": first.bound + 1e-6}, {"verdict": "WITHIN"}, {"num_examples": 12}):
        changed = replace(decision, findings=(replace(first, **change), *others))
        (difference,) = differences(changed, log)
        assert "recall:1 of age:50-80: " in difference


def test_acts_that_are_gone_or_too_few_promote_nothing(log):
    fewer = replace(log, acts=dict(list(log.acts.items())[:1]))
    found = differences(log.decisions[3], fewer)
    assert found[0].startswith("1 of 2 acts are not there")
    assert found[1].startswith("the acts do not suffice")


def test_a_changed_count_is_found(log):
    harmless = a_measurement((*FINE, counts("recall:1", "age:50-80", 266, 0)), "onnx")
    found = differences(log.decisions[2], replace(log, measurements={**MEASUREMENTS, b"\x02" * 32: harmless}))
    assert any("harmed is recorded as 21, but follows as 0" in difference for difference in found)


def test_without_the_tasks_terms_nothing_can_be_computed(log):
    found = compared(log.decisions[1], replace(log, terms=()))
    assert found.outcome is Outcome.TERMS_GONE
    assert found.differences[0].startswith("the registry no longer has the policy")


def test_numbers_that_were_taken_out_are_missed(log):
    assert missing_numbers(log.decisions) == []
    assert missing_numbers(dict.fromkeys((1, 4), log.decisions[1])) == [2, 3]


def promoted(log, sequence=4, **changes):
    """The log with one decision more: on the variant that was held, as if its recall had not been measured."""
    harmless = a_measurement(FINE, "onnx")
    made_up = replace(
        log.decisions[1],
        sequence=sequence,
        variant="onnx",
        measurements=(b"\x03" * 32,),
        gate_uses=3,
        **changes,
    )
    made_up = replace(made_up, reason=made_up.reason.replace("int8", "onnx"))
    return made_up, replace(
        log,
        measurements={**log.measurements, b"\x03" * 32: harmless},
        decisions={**log.decisions, sequence: made_up},
    )


def test_what_was_held_stays_so_and_a_second_measurement_is_none(log):
    made_up, lied = promoted(log)
    found = differences(made_up, lied)
    assert "decision 2 was HELD, which AWAITING cannot follow" in found
    assert "aggregator had measured before what is named, and the first counts" in found
    assert any("would have it held" in difference for difference in found)


def test_what_was_rolled_back_is_promoted_by_nobody_again(log):
    back = replace(log.decisions[3], sequence=4, decision=PromotionDecision.ROLLED_BACK)
    again = replace(log.decisions[1], sequence=5, gate_uses=3)
    lied = replace(log, decisions={**log.decisions, 4: back, 5: again})
    assert differences(again, lied) == ["decision 4 was ROLLED_BACK, which AWAITING cannot follow"]
    signed = replace(log.decisions[3], sequence=5)
    lied = replace(log, decisions={**log.decisions, 4: back, 5: signed})
    assert differences(signed, lied) == ["the operators acted upon decision 1, which decision 4 had followed"]


def test_nobody_signs_for_two(log):
    first, again = ACTS[0], an_act(operator="north", reason="and once more")
    for signed in ((first, first), (first, again)):
        acts, twice = {digest: (envelope, act) for digest, envelope, act in signed}, tuple(each[0] for each in signed)
        reason = "promoted by north, north: " + "; ".join(dict.fromkeys(act.reason for _, act in acts.values()))
        forged = replace(log.decisions[3], acts=twice, signers=("north", "north"), reason=reason)
        found = differences(forged, replace(log, acts=acts, decisions={**log.decisions, 3: forged}))
        assert found == ["the acts do not suffice: 2 operators must sign a promotion"]


def test_a_number_that_two_decisions_have_is_said(log):
    assert differences(log.decisions[1], replace(log, repeated=(1,))) == ["another decision has the number 1, too"]


def test_a_report_that_would_hold_the_variant_cannot_be_left_out():
    def own(name, harmed):
        rows = everything(4_000, harmed)
        return a_measurement(rows, measurer=name, data="own", data_sha256=b"", processor="NEON")

    reports = {bytes([n]) * 32: own(f"p{n}", harmed) for n, harmed in enumerate((0, 0, 800, 800, 800))}
    state = with_variant(with_spec(TaskPromotions(), SPEC, bytes(32)), a_variant())
    for digest, report in list(reports.items())[:2]:
        state = with_measurement(state, report, digest)
    _, (decision,) = decide(state, 1_000)
    assert decision.decision is PromotionDecision.AWAITING
    log = Evidence(
        terms=(TermsOfTask(spec=SPEC),),
        variants={(8, "int8"): a_variant()},
        measurements=reports,
        admitted=frozenset(reports),
        acts={},
        decisions={1: decision},
    )
    assert differences(decision, log) == ["3 measurements that it does not name would have it held"]
    twice = replace(decision, measurements=(*decision.measurements, decision.measurements[0]))
    assert "p0 is counted 2 times" in differences(twice, replace(log, decisions={1: twice}))


@pytest.mark.parametrize("sequence", [1, 2, 3])
def test_every_field_of_a_decision_counts_but_its_time(log, sequence):
    decision = log.decisions[sequence]
    changes = {
        "sequence": -1,
        "version": 9,
        "model_digest": b"\x09" * 32,
        "variant": "other",
        "artefact_sha256": b"\x09" * 32,
        "runtime": "onnxruntime 9",
        "processor": "AMX",
        "decision": PromotionDecision.UNDECIDED,
        "reason": "because",
        "policy_sha256": b"\x09" * 32,
        "measurements": (),
        "findings": decision.findings[1:],
        "gate_uses": decision.gate_uses + 1,
        "signers": ("nobody",),
        "acts": (b"\x09" * 32,),
    }
    # Rules that come to the same are as good as these: of the number see above.
    assert {field.name for field in fields(decision)} - changes.keys() == {"task", "created_ms", "gate"}
    for name, value in changes.items():
        changed = replace(decision, **{name: value})
        assert differences(changed, replace(log, decisions={**log.decisions, sequence: changed})), name


def gone_on(log, policy, number=4, **changes):
    """The log, and a decision after the others under other terms."""
    other = replace(log.decisions[1], sequence=number, policy_sha256=policy.digest(), **changes)
    return replace(log, decisions={**log.decisions, number: other})


def under(operators, **policy):
    """The task's terms with other operators."""
    stated = {**SPEC.policy.model_dump(mode="json"), "operator_keys": {n: KEYS[n] for n in operators}, **policy}
    return AccelerationSpec.model_validate({**SPEC.model_dump(mode="json"), "policy": stated})


def test_a_decision_is_held_against_the_terms_of_its_time(log):
    later = TermsOfTask(spec=under(("south", "west")), from_ms=5_000)
    former = TermsOfTask(spec=SPEC, until_ms=5_000)
    known = replace(log, terms=(former, later), decided_ms={1: 100, 2: 200, 3: 300})
    for decision in log.decisions.values():
        assert compared(decision, known).outcome is Outcome.SAME
    late = replace(known, decided_ms={**known.decided_ms, 3: 5_000 + LATE_MS + 1})
    assert differences(log.decisions[3], late) == [
        "it was made under terms that were not in force: others had been registered"
    ]


def test_the_act_of_an_operator_who_was_taken_out_stands_behind_nothing_that_comes_after(log):
    later = under(("south", "west"))
    known = replace(log, terms=(TermsOfTask(spec=SPEC), TermsOfTask(spec=later)))
    moved = gone_on(known, later.policy)
    made_up = replace(log.decisions[3], sequence=5)
    assert "it was made under former terms, and a decision before it under those that followed" in differences(
        made_up, replace(moved, decisions={**moved.decisions, 5: made_up})
    )
    made_up = replace(made_up, policy_sha256=later.policy.digest())
    found = differences(made_up, replace(moved, decisions={**moved.decisions, 5: made_up}))
    assert "1 of 2 acts are not there, or nobody signed them who was an operator then" in found


def test_terms_that_differ_in_names_of_groups_alone_have_one_policy(log):
    renamed = AccelerationSpec.model_validate({**SPEC.model_dump(mode="json"), "group_names": {"age:50-80": "old"}})
    for terms in ((SPEC, renamed), (renamed, SPEC)):
        known = replace(log, terms=tuple(TermsOfTask(spec=spec) for spec in terms))
        assert compared(log.decisions[2], known).outcome is Outcome.SAME


def test_what_other_rules_decided_is_not_proven_and_not_called_wrong(log):
    for gate, words in ((0, "rules of before they were numbered"), (RULES + 1, f"the rules {RULES + 1}")):
        same = replace(log.decisions[1], gate=gate)
        assert compared(same, replace(log, decisions={1: same})).outcome is Outcome.SAME
        lenient = replace(same, reason="promoted: by other rules", decision=PromotionDecision.PROMOTED)
        found = compared(lenient, replace(log, decisions={1: lenient}))
        assert found.outcome is Outcome.OTHER_RULES
        assert f"it was decided by {words} of the gate" in found.differences[0]
        assert f"which come to: {log.decisions[1].reason}" in found.differences[0]
        uncounted = replace(lenient, measurements=(b"\x09" * 32,))
        assert compared(uncounted, replace(log, decisions={1: uncounted})).outcome is Outcome.DIFFERS


def test_rules_do_not_go_back(log):
    former = replace(log.decisions[2], gate=0)
    assert "it is of the gate's rules 0, and a decision before it of rules 1" in differences(former, log)
