"""The table of reasons is complete, and says which bytes are kept."""

import pytest

from fluvial.admission.case import Case
from fluvial.admission.decisions import decision
from fluvial.wire.records import Decision, Reason
from governance.admission.reasons import MEANINGS, keeps_raw
from tests.unit.governance.admission.builders import a_source


def test_every_reason_of_the_contract_has_its_meaning() -> None:
    assert set(MEANINGS) == set(Reason)
    assert len(set(MEANINGS.values())) == len(MEANINGS)


def test_decisions() -> None:
    expected = {
        Reason.ACCEPTED: Decision.ACCEPT,
        Reason.DUPLICATE_IGNORED: Decision.DUPLICATE,
        Reason.SCHEMA_UNKNOWN: Decision.QUARANTINE,
        Reason.LOW_SCORE: Decision.QUARANTINE,
        Reason.UNHANDLED: Decision.QUARANTINE,
    }
    for reason in Reason:
        assert decision(reason) is expected.get(reason, Decision.REJECT)


@pytest.mark.parametrize("reason", list(Reason))
def test_the_raw_bytes_of_refused_records_are_kept_but_neither_duplicates_nor_floods(reason: Reason) -> None:
    case = Case.of(b"", a_source(), frozenset())
    kept = reason not in (
        Reason.ACCEPTED,
        Reason.DUPLICATE_IGNORED,
        Reason.SIZE_LIMIT,
        Reason.OVER_RATE,
        Reason.UNHANDLED,
    )
    assert keeps_raw(case.verdict(reason)) is kept
