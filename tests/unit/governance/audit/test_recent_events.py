"""The newest events are known; the oldest are forgotten."""

import pytest

from governance.audit.recent_events import RecentEvents


def test_the_newest_are_known() -> None:
    recent = RecentEvents(["a", "b"], capacity=3)
    for event_id in ("c", "d"):
        recent.add(event_id)
    assert [event_id in recent for event_id in "abcd"] == [False, True, True, True]
    assert len(recent) == 3


def test_more_than_the_capacity_stays_until_the_next_event() -> None:
    recent = RecentEvents("abcde", capacity=2)
    assert all(event_id in recent for event_id in "abcde")
    recent.add("f")
    assert [event_id in recent for event_id in "abcdef"] == [False] * 4 + [True] * 2


def test_an_event_is_added_once() -> None:
    recent = RecentEvents(["a"])
    with pytest.raises(ValueError, match="is in the log"):
        recent.add("a")
