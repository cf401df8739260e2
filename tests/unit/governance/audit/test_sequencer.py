"""The sequencer leaves no gap, drops repeats, and what is no event leaves no trace."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluvial.transparency.chain import FIRST_PREVIOUS_SHA256, ChainEnd
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import AuditEvent, SequencedEvent
from governance.audit.cloud_events import attributes
from governance.audit.events import EventRefused, verdict_event
from governance.audit.recent_events import RecentEvents
from governance.audit.sequencer import Sequencer, append, append_encoded
from tests.unit.governance.audit.test_events import VERDICT


def event(number: int) -> AuditEvent:
    return verdict_event(replace(VERDICT, source_offset=number))


def sequencer() -> Sequencer:
    return Sequencer(ChainEnd(), RecentEvents(), {})


def test_leaves_are_numbered_and_chained() -> None:
    end, previous = ChainEnd(), FIRST_PREVIOUS_SHA256
    for number in range(5):
        end, leaf = append(end, event(number))
        sequenced = decode(leaf, SequencedEvent)
        assert (sequenced.sequence, sequenced.previous_sha256) == (number, previous)
        assert sequenced.event == event(number)
        previous = sha256(leaf).digest()
    assert end == ChainEnd(5, previous)


@given(st.integers(0, 2**62), st.binary(min_size=32, max_size=32), st.binary(max_size=300))
def test_a_leaf_made_of_an_events_bytes_is_the_record_encoded(size: int, previous: bytes, data: bytes) -> None:
    end, one = ChainEnd(size, previous), replace(event(7), data=data)
    _, leaf = append_encoded(end, encode(one))
    assert leaf == encode(SequencedEvent(sequence=size, previous_sha256=previous, event=one))
    assert append(end, one) == append_encoded(end, encode(one))


def test_an_event_too_large_for_a_leaf_is_refused() -> None:
    with pytest.raises(EventRefused, match="at most 65535"):
        append(ChainEnd(), replace(event(0), data=bytes(65_535)))


def test_each_record_makes_one_leaf_once() -> None:
    made = sequencer()
    first = made.take(0, 0, encode(event(0)))
    assert first is not None
    assert (first.attributes, first.partition, first.offset) == (attributes(event(0)), 0, 0)
    assert made.take(0, 0, encode(event(0))) is None
    assert made.take(0, 3, encode(event(0))) is None
    assert made.take(0, 2, encode(event(1))) is None, "what lies before a record taken in was taken in"
    second = made.take(1, 0, encode(event(1)))
    assert second is not None
    assert decode(second.value, SequencedEvent).sequence == 1
    assert made.read_to == {0: 3, 1: 0}


def test_what_is_no_event_is_taken_in_without_a_leaf() -> None:
    made = sequencer()
    with pytest.raises(EventRefused):
        made.take(0, 0, b"garbage")
    assert (made.end, made.read_to, len(made.recent)) == (ChainEnd(), {0: 0}, 0)
    assert made.take(0, 0, b"garbage") is None
