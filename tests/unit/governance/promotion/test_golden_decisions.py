"""Decisions that logs hold, and what this program makes of them."""

import json

import pytest

from fluvial.wire.framing import decode
from fluvial.wire.records import Promotion
from governance.promotion.evidence import Evidence, TermsOfTask
from governance.promotion.judgement import RULES
from governance.promotion.recomputation import Outcome, compared
from tests.unit.governance.promotion.golden import CASES, FILE, digest_of, golden, terms_of
from tests.unit.pipelines.promotion.builders import a_variant

STORED = json.loads(FILE.read_text())


def looked_at(rules, name):
    """The recorded decision, and what stands behind it."""
    policy, measurements = CASES[name]
    spec, decision = terms_of(policy), decode(bytes.fromhex(STORED[rules][name]["decision"]), Promotion)
    evidence = Evidence(
        terms=(TermsOfTask(spec=spec),),
        variants={(8, "int8"): a_variant()},
        measurements={digest_of(measurement): measurement for measurement in measurements},
        acts={},
        decisions={1: decision},
    )
    return decision, compared(decision, evidence)


def test_this_programs_rules_come_to_what_they_came_to_when_they_were_numbered():
    """Else the rules have changed: count RULES up, and run the module golden, which adds what they come to."""
    assert STORED[str(RULES)] == golden()


@pytest.mark.parametrize("rules", STORED)
@pytest.mark.parametrize("name", CASES)
def test_a_decision_of_any_rules_is_read_and_none_is_called_wrong(rules, name):
    decision, found = looked_at(rules, name)
    assert decision.gate == int(rules)
    assert STORED[rules][name]["policy_sha256"] == terms_of(CASES[name][0]).policy.digest().hex()
    assert found.outcome in ((Outcome.SAME,) if decision.gate == RULES else (Outcome.SAME, Outcome.OTHER_RULES))


def test_where_former_rules_came_to_something_else_it_is_said():
    otherwise = {name: looked_at("0", name)[1] for name in CASES}
    changed = {name: found.differences for name, found in otherwise.items() if found.outcome is Outcome.OTHER_RULES}
    assert changed["one participant alone"] == (
        "it was decided by rules of before they were numbered of the gate, and this program has the rules 1, which "
        "come to: undecided: 1 more participant must have measured int8",
    )
