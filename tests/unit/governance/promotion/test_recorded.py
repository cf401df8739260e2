"""Decisions that are written whatever was measured, and whoever has chosen the names of it."""

from dataclasses import replace

import pytest

from fluvial.admission.report import MAX_COMPARISONS, check_ranges
from fluvial.wire.framing import encode
from fluvial.wire.records import GroupCounts, OperatorStep
from governance.audit.events import MAX_DATA_BYTES, audit_event
from governance.promotion.evidence import Evidence, TermsOfTask
from governance.promotion.measurements import MAX_MEASURERS
from governance.promotion.recomputation import Outcome, compared
from governance.promotion.recorded import MAX_REASON, recorded
from pipelines.promotion.logic import TaskPromotions, decide, with_act, with_measurement, with_spec, with_variant
from tests.unit.pipelines.promotion.acts import a_spec, an_act
from tests.unit.pipelines.promotion.builders import FINE, SPEC, a_measurement, a_variant

WIDE = "\U0001f600" * 120


def own(measurer="mallory", rows=FINE, **changes):
    """A participant's measurement, as the gate lets it in."""
    report = a_measurement(rows, measurer=measurer, data="own", **{"data_sha256": b"", **changes})
    assert check_ranges(report) is None
    return report


def of_many_groups():
    """As many groups as a report may have, with the longest names."""
    groups = ["all", *(f"{WIDE}{number:03}" for number in range(MAX_COMPARISONS // 2 - 1))]
    return [
        GroupCounts(metric=metric, group=group, both=10, harmed=0, helped=0, neither=0)
        for group in groups
        for metric in ("accuracy", f"recall:{WIDE}")
    ]


def decisions_on(*reports, spec=SPEC, acts=()):
    state = with_variant(with_spec(TaskPromotions(), spec, bytes(32)), a_variant())
    measurements = {number.to_bytes(32): report for number, report in enumerate(reports)}
    for digest, report in measurements.items():
        state = with_measurement(state, report, digest)
    state, decisions = decide(state, 1_000)
    for act in acts:
        state, made = decide(with_act(state, *act), 2_000)
        decisions += made
    evidence = Evidence(
        terms=(TermsOfTask(spec=spec),),
        variants={(8, "int8"): a_variant()},
        measurements=measurements,
        admitted=frozenset(measurements),
        acts={digest: (envelope, act) for digest, envelope, act in acts},
        decisions={decision.sequence: decision for decision in decisions},
    )
    return decisions, evidence


def check(decisions, evidence):
    for decision in decisions:
        assert audit_event(decision, 1).data == encode(decision)
        assert compared(decision, evidence).outcome is Outcome.SAME


def test_no_participants_names_keep_a_decision_from_being_written():
    decisions, evidence = decisions_on(own(rows=of_many_groups()))
    assert 10 < len(decisions[0].findings) < 200
    check(decisions, evidence)


def test_nor_does_the_number_of_those_who_measured():
    decisions, evidence = decisions_on(*(own(f"participant-{number}") for number in range(MAX_MEASURERS + 100)))
    assert len(decisions[0].measurements) == MAX_MEASURERS
    check(decisions, evidence)


def test_nor_do_both_together_or_what_operators_say_of_it():
    others = [own(f"participant-{number}", FINE if number else of_many_groups()) for number in range(MAX_MEASURERS)]
    act = an_act("HOLD", reason="\U0001f600" * 500)
    decisions, evidence = decisions_on(*others, spec=a_spec(1), acts=[act])
    assert decisions[-1].acts == (act[0],)
    assert act[2].step is OperatorStep.HOLD
    check(decisions, evidence)


def test_what_fits_is_written_as_it_is():
    (decision,), _ = decisions_on(a_measurement())
    assert recorded(decision) is decision


def test_the_worst_comparisons_stay_and_as_many_as_fit():
    (decision,), _ = decisions_on(own(rows=of_many_groups()))
    finding = decision.findings[0]
    whole = replace(decision, findings=tuple(replace(finding, group=f"{WIDE}{n:03}") for n in range(200)))
    shorter = recorded(whole)
    left = len(shorter.findings)
    assert shorter.findings == whole.findings[:left]
    assert len(encode(shorter)) <= MAX_DATA_BYTES < len(encode(replace(whole, findings=whole.findings[: left + 1])))


@pytest.mark.parametrize("findings", [0, 1])
def test_a_reason_without_end_is_cut_last(findings):
    (decision,), _ = decisions_on(a_measurement())
    shorter = recorded(replace(decision, reason="\U0001f600" * 20_000, findings=decision.findings[:findings]))
    assert shorter.reason.startswith("\U0001f600" * MAX_REASON)
    assert audit_event(shorter, 1)
