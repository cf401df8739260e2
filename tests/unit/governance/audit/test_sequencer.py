"""The sequencer leaves no gap, drops repeats, and goes on after a restart as if there had been none."""

from hashlib import sha256

import pytest

from fluvial.wire.framing import decode
from fluvial.wire.records import AuditEvent, SequencedEvent
from governance.audit.sequencer import FIRST_PREVIOUS_SHA256, SequencerState, append


def event(number: int, data: bytes = b"data") -> AuditEvent:
    return AuditEvent(id=f"event/{number}", source="/test", type="test", subject="s", time_ms=number, data=data)


def leaves_of(events: list[AuditEvent], state: SequencerState) -> tuple[SequencerState, list[bytes]]:
    leaves = []
    for one in events:
        state, leaf = append(state, one, False)
        assert leaf is not None
        leaves.append(leaf)
    return state, leaves


def test_leaves_are_numbered_and_chained() -> None:
    state, leaves = leaves_of([event(number) for number in range(5)], SequencerState())
    previous = FIRST_PREVIOUS_SHA256
    for sequence, leaf in enumerate(leaves):
        sequenced = decode(leaf, SequencedEvent)
        assert (sequenced.sequence, sequenced.previous_sha256) == (sequence, previous)
        assert sequenced.event == event(sequence)
        previous = sha256(leaf).digest()
    assert state == SequencerState(next_sequence=5, previous_sha256=previous)


def test_a_repeat_leaves_no_trace() -> None:
    state, _ = leaves_of([event(0)], SequencerState())
    assert append(state, event(0), True) == (state, None)


@pytest.mark.parametrize("crash_after", range(5))
def test_a_restart_changes_nothing(crash_after: int) -> None:
    """Events:  0 1 2 | crash, state stored and read again | 3 4"""
    events = [event(number) for number in range(5)]
    undisturbed = leaves_of(events, SequencerState())
    state, before = leaves_of(events[:crash_after], SequencerState())
    state, after = leaves_of(events[crash_after:], SequencerState.load(state.dump()))
    assert (state, before + after) == undisturbed


def test_an_event_too_large_for_a_leaf_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 65535"):
        append(SequencerState(), event(0, bytes(65_535)), False)


def test_only_a_stored_state_loads() -> None:
    stored = SequencerState(next_sequence=7).dump()
    assert SequencerState.load(stored) == SequencerState(next_sequence=7)
    for damaged in (b"", b"\x02" + stored[1:], stored[:-1], stored + b"\x00"):
        with pytest.raises(ValueError, match="not a stored sequencer state"):
            SequencerState.load(damaged)
