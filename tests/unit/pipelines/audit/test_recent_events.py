"""The newest events are known, also after a restart; the oldest are forgotten in blocks."""

import pytest

from pipelines.audit.recent_events import BLOCK, REMEMBERED_EVENTS, SeenEvents


class Memory(dict[int, bytes]):
    """A dict with the methods of Flink's MapState; counts the writes."""

    writes = 0

    def put(self, key: int, value: bytes) -> None:
        self.writes += 1
        self[key] = value

    def remove(self, key: int) -> None:
        del self[key]


def fill(seen: SeenEvents, start: int, stop: int) -> None:
    for sequence in range(start, stop):
        seen.add(f"event-{sequence}", sequence)


def test_a_bundle_is_one_write() -> None:
    state = Memory()
    seen = SeenEvents(state)
    fill(seen, 0, 100)
    seen.flush()
    seen.flush()
    assert state.writes == 1
    fill(seen, 100, BLOCK + 1)
    seen.flush()
    assert state.writes == 3


@pytest.mark.parametrize("stop", [1, BLOCK, BLOCK + 1, 2 * BLOCK + 7])
def test_what_was_written_is_known_after_a_restart(stop: int) -> None:
    state = Memory()
    seen = SeenEvents(state)
    fill(seen, 0, stop)
    seen.flush()
    again = SeenEvents(state)
    assert all(again.seen(f"event-{sequence}") for sequence in range(stop))
    assert not again.seen(f"event-{stop}")
    fill(again, stop, stop + 3)
    again.flush()
    assert all(SeenEvents(state).seen(f"event-{sequence}") for sequence in range(stop + 3))


def test_old_events_are_forgotten_new_ones_are_not() -> None:
    state = Memory()
    seen = SeenEvents(state)
    stop = REMEMBERED_EVENTS + 3 * BLOCK
    for start in range(0, stop, 500):
        fill(seen, start, min(start + 500, stop))
        seen.flush()
    assert not seen.seen("event-0")
    assert seen.seen(f"event-{stop - REMEMBERED_EVENTS}")
    assert sum(len(block) for block in state.values()) <= 16 * (REMEMBERED_EVENTS + BLOCK)
    again = SeenEvents(state)
    assert all(again.seen(f"event-{number}") == seen.seen(f"event-{number}") for number in range(0, stop, 97))
