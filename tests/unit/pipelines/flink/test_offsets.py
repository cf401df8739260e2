"""Reading begins where it is asked to, as far as there is something; what is gone is a gap."""

import pytest

from pipelines.flink.offsets import Bounds, Gap, RecordsLost, check_reached, gaps, starting_offsets

HELD = {0: Bounds(first=10, end=100, written=100), 1: Bounds(first=0, end=0, written=0), 2: Bounds(5, 50, 60)}


def test_without_a_wish_everything_is_read() -> None:
    assert starting_offsets(HELD) == {0: 10, 1: 0, 2: 5}


def test_a_start_holds_for_its_partition_within_what_is_there() -> None:
    assert starting_offsets(HELD, start={0: 40, 1: 7}) == {0: 40, 1: 0, 2: 5}
    assert starting_offsets(HELD, start={0: 3, 2: 1000}) == {0: 10, 1: 0, 2: 50}


def test_a_tail_is_counted_from_the_committed_end() -> None:
    assert starting_offsets(HELD, tail=20) == {0: 80, 1: 0, 2: 30}
    assert starting_offsets(HELD, tail=1000) == {0: 10, 1: 0, 2: 5}
    assert starting_offsets(HELD, start={0: 95, 2: 10}, tail=20) == {0: 95, 1: 0, 2: 30}


def test_what_retention_took_of_a_wish_is_a_gap() -> None:
    assert gaps(HELD, {0: 4, 1: 0, 2: 5, 9: 1}) == [Gap(partition=0, first=4, end=10)]
    assert gaps(HELD, {0: 10, 2: 80}) == []


def test_an_end_before_what_the_log_tells_of_is_told_with_what_to_do() -> None:
    ends = {partition: held.written for partition, held in HELD.items()}
    check_reached("t.updates", ends, {0: 100, 1: 0, 2: 60})
    check_reached("t.updates", ends, {})
    check_reached("t.updates", {}, {})
    with pytest.raises(
        RecordsLost, match=r"t\.updates/2 was written up to offset 60, .* up to 61.*topics advance t\.updates 2 61"
    ):
        check_reached("t.updates", ends, {0: 100, 2: 61})
    with pytest.raises(RecordsLost, match=r"t\.updates/3 was written up to offset 0,"):
        check_reached("t.updates", ends, {3: 7})
    with pytest.raises(RecordsLost, match=r"there is no topic t\.updates, .*topics create"):
        check_reached("t.updates", {}, {3: 7})
    assert not RecordsLost.retriable
