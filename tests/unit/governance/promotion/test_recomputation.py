"""Decisions computed again from what they name."""

from dataclasses import replace

import pytest

from fluvial.wire.records import PromotionDecision
from governance.promotion.recomputation import Evidence, differences, missing_numbers
from pipelines.promotion.logic import TaskPromotions, decide, with_act, with_measurement, with_spec, with_variant
from tests.unit.pipelines.promotion.acts import a_spec, an_act
from tests.unit.pipelines.promotion.builders import FINE, HARMFUL, a_measurement, a_variant, counts

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
        spec=SPEC,
        variants={(8, name): a_variant(name) for name in ("int8", "onnx")},
        measurements=MEASUREMENTS,
        acts={digest: act for digest, _, act in ACTS},
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
        (2, {"policy_sha256": bytes(32)}, "the policy is not the one"),
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
    assert differences(log.decisions[1], replace(log, spec=None)) == ["the registry does not have the task's terms"]


def test_numbers_that_were_taken_out_are_missed(log):
    assert missing_numbers(log.decisions) == []
    assert missing_numbers(dict.fromkeys((1, 4), log.decisions[1])) == [2, 3]
