"""Laws of agreements over histories: what was signed, withdrawn and copied, in whatever order, says for each round the
same to whoever asks, and a copy of something former says nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from fluvial.admission.agreement import check_agreement
from fluvial.auditor.key_lives import KeyLife
from fluvial.identity.envelope import seal
from fluvial.registry.records import registry_key
from fluvial.registry.view import VerifiedRegistry
from fluvial.wire.records import Participant, Reason
from governance.registry.enrolment import Enrolled, judge_enrolment
from governance.registry.token_claims import TokenClaims
from tests.laws.effort import examples
from tests.unit.governance.admission.builders import (
    KEY,
    OTHER_KEY,
    TERMS,
    TERMS_SHA256,
    World,
    a_participant,
    a_source,
    sealed,
)
from tests.unit.governance.registry.test_enrolment import a_request

STEPS = st.lists(st.sampled_from(["sign", "withdraw", "copy", "round"]), min_size=1, max_size=12)


@dataclass
class History:
    """records: what the registrar has signed, oldest first. signed: whether it stands now; withdrawn_ms: since when it
    does not, as people would say it. rounds: when each was opened."""

    records: list[Participant]
    signed: bool
    withdrawn_ms: int | None
    rounds: list[int]


def history_of(steps: list[str], copied: int) -> History:
    """One thing happens each hundred milliseconds. copied: which of the former requests comes again."""
    found = History([a_participant()], True, None, [])
    requests: list[bytes] = []
    at_ms = 2_000
    for step in steps:
        at_ms += 100
        if step == "round":
            found.rounds.append(at_ms)
            continue
        if step == "copy":
            if not requests:
                continue
            raw = requests[copied % len(requests)]
        elif step == "sign":
            raw = sealed(a_request(token="", requested_ms=at_ms))
        else:
            raw = sealed(a_request(token="", agreements=(), withdrawn=("terms",), requested_ms=at_ms))
        world = World(participants={"alice": found.records[-1]}, agreements={"terms": (TERMS, TERMS_SHA256)})
        source = a_source(topic="fluvial.enrolments", timestamp_ms=at_ms)
        judgement = judge_enrolment(raw, source, registry=world, claims=TokenClaims())
        if step == "copy":
            assert not isinstance(judgement, Enrolled) or judgement.records == ()
            continue
        requests.append(raw)
        assert isinstance(judgement, Enrolled)
        (record,) = judgement.records
        assert isinstance(record, Participant)
        found.records.append(record)
        if step == "sign":
            found.signed, found.withdrawn_ms = True, None
        elif found.signed:
            found.signed, found.withdrawn_ms = False, at_ms
    return found


@given(STEPS, st.integers(0, 11))
@examples(80)
def test_a_round_takes_what_was_agreed_when_it_was_opened_and_none_after_a_withdrawal(
    steps: list[str], copied: int
) -> None:
    found = history_of(steps, copied)
    newest = found.records[-1]
    world = World(agreements={"terms": (TERMS, TERMS_SHA256)})
    for opened_ms in found.rounds:
        fault = check_agreement(newest, "terms", world, 5_000, opened_ms)
        stood = found.signed or (found.withdrawn_ms is not None and opened_ms < found.withdrawn_ms)
        assert (fault is None) == stood
        assert stood or (fault is not None and fault.reason is Reason.AGREEMENT_WITHDRAWN)


@given(st.data(), STEPS, st.integers(0, 11))
@examples(40)
def test_copies_compaction_and_order_say_nothing_else(data: st.DataObject, steps: list[str], copied: int) -> None:
    """Whoever starts with the newest record alone, or with all of them in any order and many times, believes the
    same."""
    records = history_of(steps, copied).records
    records = [replace(record, version=number) for number, record in enumerate(records)]
    for read in ([records[-1]], data.draw(st.permutations([*records, *records]))):
        registry = VerifiedRegistry(OTHER_KEY.public_key, OTHER_KEY.public_key)
        for record in read:
            registry.apply(registry_key(record), seal(record, OTHER_KEY, "operator"))
        assert registry.participant("alice") == records[-1]


@given(STEPS, st.integers(0, 11))
@examples(40)
def test_the_auditor_doubts_nothing_that_an_honest_gate_has_said(steps: list[str], copied: int) -> None:
    """Whatever record the gate had heard last when it judged, up to a minute before."""
    found = history_of(steps, copied)
    life = KeyLife(KEY.public_key, 0, 0)
    for record in found.records:
        life.take_agreements(record, record.requested_ms)
    world = World(agreements={"terms": (TERMS, TERMS_SHA256)})
    for opened_ms in found.rounds:
        fault = check_agreement(found.records[-1], "terms", world, 5_000, opened_ms)
        if fault is None:
            assert life.may_have_agreed("terms", 5_000, opened_ms)
        else:
            assert life.had_withdrawn("terms", opened_ms)
