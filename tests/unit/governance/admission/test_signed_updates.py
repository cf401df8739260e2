"""Records that are read together become what each becomes alone, in their order."""

import pytest

from fluvial.identity import envelope as envelopes
from fluvial.wire.records import ParticipantStatus
from governance.admission.gate import SignedUpdate, Unsigned, read_signed
from tests.unit.governance.admission.builders import (
    OTHER_KEY,
    POLICY,
    a_participant,
    a_source,
    a_world,
    an_update,
    sealed,
)

GOOD = sealed(an_update())
FORGED = envelopes.seal(an_update(), OTHER_KEY, "alice")
RECORDS = [GOOD, b"", FORGED, sealed(an_update(participant="bob")), GOOD[:-1], sealed(an_update(update_id="update-2"))]


@pytest.mark.parametrize("share", [1, 8, 1000])
def test_the_many_are_judged_as_the_one(share: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelopes, "_SHARE", share)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    records = [(raw, a_source()) for raw in RECORDS * 5]
    together = read_signed(records, registry=a_world(), policy=POLICY)
    alone = [read_signed([record], registry=a_world(), policy=POLICY)[0] for record in records]
    assert together == alone
    kinds = [type(one) for one in together[: len(RECORDS)]]
    assert kinds == [SignedUpdate, Unsigned, Unsigned, Unsigned, Unsigned, SignedUpdate]


def test_nothing_becomes_nothing() -> None:
    assert read_signed([], registry=a_world(), policy=POLICY) == []


def test_a_revoked_signer_is_told_from_a_forged_signature() -> None:
    world = a_world()
    world.participants["alice"] = a_participant(status=ParticipantStatus.REVOKED)
    revoked, forged = read_signed([(GOOD, a_source()), (FORGED, a_source())], registry=world, policy=POLICY)
    assert isinstance(revoked, Unsigned)
    assert isinstance(forged, Unsigned)
    assert (revoked.fault.reason.value, forged.fault.reason.value) == ("KEY_REVOKED", "SIGNATURE")
