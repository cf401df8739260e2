"""Columns of a bundle hold the records that are in it, however many they are, and of a broken one nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.flink.bundles import Kind, pack_bundle, parse_sources
from pipelines.flink.frames import SourceRecord, source_frame
from pipelines.flink.source_columns import SourceColumns

RECORDS = st.builds(
    SourceRecord,
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.none() | st.binary(max_size=20),
    st.binary(max_size=40),
    st.just(()),
)


def bundle_of(records: list[SourceRecord]) -> bytes:
    return pack_bundle(Kind.SOURCE, [source_frame(record) for record in records])


def read(bundle: bytes, together_from: int) -> list[SourceRecord] | None:
    """What the columns hold; None where they are refused."""
    try:
        columns = SourceColumns.of(bundle, together_from)
    except ValueError:
        return None
    made = [columns.record(row) for row in range(len(columns.values))]
    assert columns.partitions == [record.partition for record in made]
    assert columns.offsets == [record.offset for record in made]
    assert columns.values == [record.value for record in made]
    assert [columns.record(row) for row in range(len(made))] == made
    return made


def parsed(bundle: bytes) -> list[SourceRecord] | None:
    try:
        return parse_sources(bundle)
    except ValueError:
        return None


@given(st.lists(RECORDS, max_size=6), st.sampled_from([0, 1, 3, 100]))
def test_the_records_of_a_bundle_are_in_its_columns(records: list[SourceRecord], together_from: int) -> None:
    assert read(bundle_of(records), together_from) == records


@given(st.data(), st.lists(RECORDS, max_size=4), st.sampled_from([0, 1, 3]))
def test_a_bundle_that_was_changed_is_read_as_one_by_one(
    data: st.DataObject, records: list[SourceRecord], together_from: int
) -> None:
    """Numbers that say lengths may become anything; cut and continued, too."""
    bundle = bytearray(bundle_of(records))
    for place, byte in data.draw(st.lists(st.tuples(st.integers(0, len(bundle) - 1), st.integers(0, 255)), max_size=4)):
        bundle[place] = byte
    cut = bytes(bundle[: data.draw(st.integers(0, len(bundle)))]) + data.draw(st.binary(max_size=3))
    assert read(cut, together_from) == parsed(cut)


@pytest.mark.parametrize("number", [-1, -5, 0, 23, 24, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("place", [3, 3 + 4 + 20])
def test_lengths_that_do_not_fit_are_read_as_one_by_one(place: int, number: int) -> None:
    """Of the first item, and of its key."""
    bundle = bytearray(bundle_of([SourceRecord(0, offset, 5, b"key", b"value") for offset in range(3)]))
    bundle[place : place + 4] = number.to_bytes(4, signed=True)
    assert read(bytes(bundle), 1) == parsed(bytes(bundle))
