"""Bundles keep what they hold; lanes are spread evenly."""

import pytest

from pipelines.flink.bundles import LANES, Kind, lane_keys, pack_bundle, parse_sources
from pipelines.flink.frames import SourceRecord, parse_source, source_frame
from pipelines.flink.keys import subtask_of

RECORDS = [
    SourceRecord(0, 7, 1_700_000_000_000, b"alice", b"value"),
    SourceRecord(3, 1 << 40, 0, None, b""),
    SourceRecord(1, 8, 5, b"", b"\x00" * 300),
]


def test_source_frames_come_back_from_a_bundle() -> None:
    frames = [source_frame(record) for record in RECORDS]
    assert [parse_source(frame) for frame in frames] == RECORDS
    assert parse_sources(pack_bundle(Kind.SOURCE, frames)) == RECORDS
    assert parse_sources(pack_bundle(Kind.SOURCE, [])) == []


def test_a_bundle_that_was_cut_short_is_refused() -> None:
    bundle = pack_bundle(Kind.SOURCE, [source_frame(record) for record in RECORDS])
    whole = [pack_bundle(Kind.SOURCE, [source_frame(record) for record in RECORDS[:count]]) for count in range(4)]
    for length in range(len(bundle)):
        if bundle[:length] not in whole:
            with pytest.raises(ValueError, match="bundle"):
                parse_sources(bundle[:length])


def test_other_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="no bundle"):
        parse_sources(pack_bundle(Kind.SINK, [b"frame"]))


@pytest.mark.parametrize("parallelism", [1, 2, 4, 8])
def test_every_subtask_gets_as_many_lanes(parallelism: int) -> None:
    keys = lane_keys(128)
    assert len(set(keys)) == LANES
    subtasks = [subtask_of(key, parallelism, 128) for key in keys]
    assert [subtasks.count(subtask) for subtask in range(parallelism)] == [LANES // parallelism] * parallelism


def test_the_keys_are_part_of_the_state_and_stay() -> None:
    assert lane_keys(128)[:3] == ["lane-0-115", "lane-1-552", "lane-2-76"]
