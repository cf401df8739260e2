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


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(1, 5), st.integers(0, 6), st.booleans()), max_size=12),
    st.integers(1, 4),
    st.integers(0, 8200),
)
def test_records_that_are_known_are_taken_together_as_one_by_one(
    steps: list[tuple[int, int, int, bool]], stride: int, size: int
) -> None:
    """steps: of each record its partition, how far it lies behind the one before it there, its event, and whether it is
    known to be one."""
    offsets = {0: -1, 1: -1}
    records = []
    for partition, ahead, number, is_known in steps:
        offsets[partition] += ahead - 1  # also the same place again
        known = attributes(event(number)) if is_known else None
        records.append((partition, offsets[partition], encode(event(number)), known))
    one, many = (Sequencer(ChainEnd(size), RecentEvents(capacity=3), {}) for _ in range(2))
    expected = [leaf for leaf in [one.take(*record[:3]) for record in records] if leaf is not None]
    columns = [list(column) for column in zip(*records, strict=True)] or [[], [], [], []]
    leaves, row = [], 0
    while row < len(records):
        before = many.read_to.get(records[row][0], -1)
        taken, after = many.take_known(*columns, start=row, stride=stride)  # type: ignore[arg-type]
        leaves += taken
        if after == row:
            partition, offset, value, known = records[row]
            assert known is None or not before < offset <= before + stride
            leaf, after = many.take(partition, offset, value), row + 1
            leaves += [] if leaf is None else [leaf]
        row = after
    assert leaves == expected
    assert (many.end, many.read_to, len(many.recent)) == (one.end, one.read_to, len(one.recent))
