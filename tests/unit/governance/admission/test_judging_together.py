"""Records that are judged together become what each becomes alone, in their order."""

import pytest

from fluvial.identity import envelope as envelopes
from governance.admission import gate
from tests.unit.governance.admission.builders import (
    OTHER_KEY,
    POLICY,
    a_source,
    a_world,
    an_update,
    judge,
    judge_all,
    sealed,
)

GOOD = sealed(an_update())
FORGED = envelopes.seal(an_update(), OTHER_KEY, "alice")
RECORDS = [GOOD, b"", FORGED, sealed(an_update(participant="bob")), GOOD[:-1], sealed(an_update(update_id="update-2"))]


@pytest.mark.parametrize("share", [1, 8, 1000])
def test_the_many_are_judged_as_the_one(share: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelopes, "_SHARE", share)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    together = judge_all([(raw, a_source()) for raw in RECORDS * 5], a_world())
    assert together == [judge(raw, a_world()) for raw in RECORDS * 5]
    kinds = [type(one) for one in together[: len(RECORDS)]]
    assert kinds == [gate.NeedsEvidence, gate.Refused, gate.Refused, gate.Refused, gate.Refused, gate.NeedsEvidence]


def test_nothing_becomes_nothing() -> None:
    assert judge_all([], a_world()) == []


def test_what_is_accepted_of_the_records_before_counts_for_those_behind() -> None:
    world = a_world()
    judgements = gate.judge([(GOOD, a_source())] * 2, registry=world, rounds=world, seen=world, policy=POLICY)
    assert isinstance(next(judgements), gate.NeedsEvidence)
    world.remember(GOOD, an_update())
    second = next(judgements)
    assert isinstance(second, gate.Refused)
    assert second.verdict.reason.value == "DUPLICATE_IGNORED"
