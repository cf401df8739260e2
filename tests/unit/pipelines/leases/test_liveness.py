"""Who counts as alive."""

from __future__ import annotations

from fluvial.wire.records import HolderState
from pipelines.leases.liveness import GONE_AFTER_MS, HEARTBEAT_MS, STARTING_MS, is_alive
from tests.unit.pipelines.leases.builders import beat, lease, sealed, table_of

HELD = table_of(sealed(lease(1, "audit"))).at(1)


def test_a_holder_is_alive_until_it_has_been_silent_for_several_heartbeats() -> None:
    assert GONE_AFTER_MS >= 4 * HEARTBEAT_MS
    last = beat(1, 50_000)
    assert is_alive(HELD, last, 50_000)
    assert is_alive(HELD, last, 50_000 + GONE_AFTER_MS - 1)
    assert not is_alive(HELD, last, 50_000 + GONE_AFTER_MS)


def test_a_holder_that_has_said_nothing_yet_has_time_to_start() -> None:
    assert is_alive(HELD, None, STARTING_MS - 1)
    assert not is_alive(HELD, None, STARTING_MS)


def test_a_holder_that_says_it_has_ended_is_not_alive() -> None:
    assert not is_alive(HELD, beat(1, 50_000, HolderState.TRANSACTION_LOST), 50_000)


def test_what_a_holder_said_before_the_clock_was_set_back_keeps_it_alive_no_longer_than_that() -> None:
    last = beat(1, 5_000_000)
    assert is_alive(HELD, last, 5_000_000 - GONE_AFTER_MS + 1), "a little: brokers' clocks differ"
    assert not is_alive(HELD, last, 1_000_000)
    assert not is_alive(table_of(b"", *[b""] * 200, sealed(lease(1, "audit"))).at(1), None, 0)
