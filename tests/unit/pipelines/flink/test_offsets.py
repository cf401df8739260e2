"""Reading begins where it is asked to, as far as there is something; what is gone is a gap."""

from pipelines.flink.offsets import Bounds, Gap, gaps, starting_offsets

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
