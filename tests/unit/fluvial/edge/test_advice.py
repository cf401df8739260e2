"""What a refused participant is told to do."""

import pytest

from fluvial.edge.advice import advice
from fluvial.kafka import Position
from fluvial.wire.records import Decision, Reason
from tests.unit.fluvial.edge.world import World

OFTEN = (
    Reason.TOKEN_INVALID,
    Reason.KEY_UNKNOWN,
    Reason.KEY_REVOKED,
    Reason.SIGNATURE,
    Reason.OUT_OF_RANGE,
    Reason.AGREEMENT,
    Reason.WEIGHT,
    Reason.EQUIVOCATION,
    Reason.NORM_EXCEEDED,
    Reason.MAGNITUDE_EXCEEDED,
    Reason.OTHER_FEDERATION,
    Reason.OVER_RATE,
)


@pytest.mark.parametrize("reason", OFTEN)
def test_what_participants_meet_comes_with_what_to_do(world: World, reason: Reason) -> None:
    place = Position(partition=0, offset=0, timestamp_ms=1)
    assert advice(world.judge(world.topics.updates, place, "alice", Decision.REJECT, reason))


def test_what_was_accepted_needs_no_advice(world: World) -> None:
    place = Position(partition=0, offset=0, timestamp_ms=1)
    assert not advice(world.judge(world.topics.updates, place, "alice", Decision.ACCEPT, Reason.ACCEPTED))
