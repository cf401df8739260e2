"""Rounds only move forward."""

import pytest

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.registry.rounds import NewestRounds, place
from fluvial.wire.errors import FluvialError
from fluvial.wire.records import RoundStatus
from tests.unit.governance.admission.builders import a_round

AGGREGATOR = SigningKey.from_seed(bytes([3]) * 32)
HISTORY = [
    a_round(round=1, attempt=1),
    a_round(round=1, attempt=2),
    a_round(round=2, attempt=1, status=RoundStatus.PAUSED),
    a_round(round=2, attempt=1),
    a_round(round=2, attempt=1, status=RoundStatus.FINISHED),
    a_round(round=3, attempt=1),
    a_round(round=3, attempt=2, status=RoundStatus.PAUSED),
    a_round(round=3, attempt=2, status=RoundStatus.REMOVED),
]
RAWS = [seal(record, AGGREGATOR, "aggregator") for record in HISTORY]


def test_the_places_of_a_history_ascend() -> None:
    places = [place(record) for record in HISTORY]
    assert places == sorted(set(places))


def test_a_copy_of_a_former_round_takes_nobody_back() -> None:
    rounds = NewestRounds(AGGREGATOR.public_key)
    for number, raw in enumerate(RAWS):
        assert rounds.apply(raw) == HISTORY[number]
        assert all(rounds.apply(older) is None for older in RAWS[: number + 1])
        assert rounds.newest("demo") == HISTORY[number]
    assert rounds.all_newest() == [HISTORY[-1]]
    assert rounds.newest("other") is None


def test_what_others_signed_is_refused() -> None:
    rounds = NewestRounds(AGGREGATOR.public_key)
    with pytest.raises(FluvialError):
        rounds.apply(seal(a_round(), SigningKey.from_seed(bytes(32)), "aggregator"))
    assert rounds.newest("demo") is None
