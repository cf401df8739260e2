"""What is read in columns is what is read one by one, and nothing else is called plain."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fluvial.transparency.chain import ChainEnd
from fluvial.wire.columns import Block, Columns, Spans
from fluvial.wire.errors import DecodeError
from fluvial.wire.framing import MAX_RECORD_BYTES, decode, encode
from fluvial.wire.records import AcceptedUpdate, AuditEvent, SequencedEvent, Verdict
from governance.audit import plain_events
from governance.audit.cloud_events import attributes
from governance.audit.events import open_event, verdict_event
from governance.audit.sequencer import append
from tests.laws.mutations import mutated
from tests.unit.fluvial.wire.samples import records, sample
from tests.unit.governance.audit.test_events import VERDICT

FLAT = (AuditEvent, SequencedEvent, Verdict)
EVENT_READ = verdict_event(VERDICT)
EVENT = encode(EVENT_READ)
LEAF = append(ChainEnd(), verdict_event(VERDICT))[1]


def flat(record: Any, prefix: str = "") -> dict[str, Any]:
    """The fields, those of a record in it called "event.id"."""
    found: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        found |= flat(value, f"{prefix}{field.name}.") if is_dataclass(value) else {prefix + field.name: value}
    return found


def assert_read_as_decoded(values: list[bytes], kind: type) -> list[bool]:
    block = Block(values)
    columns = Columns.read(block, block.rows, kind)
    for row, value in enumerate(values):
        if not columns.plain[row]:
            continue
        record = flat(decode(value, kind))
        for name, spans in columns.spans.items():
            found = block.bytes[spans.starts[row] : spans.ends[row]]
            assert found == (record[name].encode() if isinstance(record[name], str) else record[name])
        for name, numbers in columns.numbers.items():
            expected = record[name]
            if isinstance(expected, Enum):
                expected = list(type(expected)).index(expected)
            assert numbers[row] == expected
    return list(columns.plain)


@given(st.data())
def test_records_read_together_are_those_read_one_by_one(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(FLAT))
    genuine = st.one_of(records(kind), st.just(sample(kind))).map(encode)
    values = data.draw(st.lists(st.one_of(genuine, genuine.flatmap(mutated), st.binary(max_size=40)), max_size=6))
    assert_read_as_decoded(values, kind)


@pytest.mark.parametrize("kind", FLAT)
def test_a_plain_record_that_was_cut_or_continued_is_not_plain(kind: type) -> None:
    whole = encode(verdict_event(VERDICT) if kind is AuditEvent else VERDICT if kind is Verdict else decode(LEAF, kind))
    values = [whole[:length] for length in range(len(whole))] + [whole + b"\0", whole]
    plain = assert_read_as_decoded(values, kind)
    assert plain == [False] * (len(values) - 1) + [True]
    assert [assert_read_as_decoded([value], kind)[0] for value in values] == plain


def test_a_record_too_large_to_be_decoded_is_not_plain() -> None:
    def leaf(size: int) -> bytes:
        return encode(
            SequencedEvent(sequence=0, previous_sha256=bytes(32), event=replace(EVENT_READ, data=bytes(size)))
        )

    largest = MAX_RECORD_BYTES - len(leaf(MAX_RECORD_BYTES)) + MAX_RECORD_BYTES
    assert plain_events.leaves([leaf(largest), leaf(largest + 1)]) == [True, False]
    with pytest.raises(DecodeError):
        decode(leaf(largest + 1), SequencedEvent)


def test_types_with_optional_fields_are_refused() -> None:
    with pytest.raises(ValueError, match="not read in columns"):
        Columns.read(Block([]), Block([]).rows, AcceptedUpdate)


def events_of_verdicts() -> st.SearchStrategy[bytes]:
    return records(Verdict).map(_event_or_not)


def _event_or_not(verdict: Verdict) -> bytes:
    try:
        return encode(verdict_event(verdict))
    except ValueError:  # too large
        return b""


def _with(**changes: Any) -> bytes:
    event = verdict_event(VERDICT)
    return encode(AuditEvent(**{field.name: getattr(event, field.name) for field in fields(event)} | changes))


@given(
    st.lists(
        st.one_of(events_of_verdicts(), st.just(EVENT), mutated(EVENT), records(AuditEvent).map(encode)), max_size=8
    )
)
@example([_with(time_ms=-1)])
@example([_with(subject="another")])
@example([_with(source="/aggregation")])
@example([_with(type="org.fluvial.receipt.v1")])
@example([_with(id=verdict_event(VERDICT).id + "0")])
@example([_with(data=EVENT)])
@example([_with(data=encode(VERDICT) + b"\0")])
def test_a_plain_event_is_one_that_would_be_opened(values: list[bytes]) -> None:
    for value, known in zip(values, plain_events.verdicts(values), strict=True):
        if known is not None:
            assert known == attributes(open_event(value))


@given(st.lists(st.one_of(st.just(LEAF), mutated(LEAF), records(SequencedEvent).map(encode)), max_size=8))
def test_a_plain_leaf_is_a_leaf(values: list[bytes]) -> None:
    for value, plain in zip(values, plain_events.leaves(values), strict=True):
        if plain:
            decode(value, SequencedEvent)


def test_the_events_of_verdicts_are_plain() -> None:
    """Else nothing would be gained; none of them for a text beyond ASCII, and for a topic whose name is escaped."""
    plain = [VERDICT, replace(VERDICT, source_offset=1 << 40), replace(VERDICT, participant="")]
    other = [
        replace(VERDICT, participant="Zoë"),
        replace(VERDICT, source_topic="a/b"),
        replace(VERDICT, source_topic="%"),
    ]
    values = [encode(verdict_event(verdict)) for verdict in plain + other]
    assert [known is not None for known in plain_events.verdicts(values)] == [True] * 3 + [False] * 3


def test_one_event_of_another_name_makes_no_other_less_plain() -> None:
    """Ids are compared all together first; topics of their own are looked for one after the other."""
    verdicts = [replace(VERDICT, source_offset=number) for number in range(9)]
    verdicts[4:6] = [replace(one, source_topic="fluvial.reports") for one in verdicts[4:6]]
    values = [encode(verdict_event(verdict)) for verdict in verdicts]
    values[2] = _with(id="verdict/x\ny")
    values[5] = encode(verdict_event(replace(verdicts[5], source_topic="a\nb")))
    known = plain_events.verdicts(values)
    assert [one is not None for one in known] == [True, True, False, True, True, False, True, True, True]
    for value, one in zip(values, known, strict=True):
        assert one is None or one == attributes(open_event(value))


@given(st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=300), st.booleans()), max_size=5))
def test_parts_are_compared_and_looked_at_as_they_are(rows: list[tuple[bytes, bytes, bool]]) -> None:
    values = [first + (first if is_same else other) for first, other, is_same in rows]
    block = Block(values)
    starts, ends = block.rows.starts, block.rows.ends
    middles = starts + np.array([len(first) for first, _, _ in rows], np.int64)
    first, second = Spans(starts, middles), Spans(middles, ends)
    parts = [(value[: len(row[0])], value[len(row[0]) :]) for value, row in zip(values, rows, strict=True)]
    assert block.same(first, second).tolist() == [one == other for one, other in parts]
    assert block.are_ascii([second]).tolist() == [other.isascii() for _, other in parts]
    assert block.are_ascii([first, second]).tolist() == [value.isascii() for value in values]
    assert block.are_ascii([]).all()
