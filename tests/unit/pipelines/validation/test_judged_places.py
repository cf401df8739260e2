"""Offsets that have a verdict, whatever the order in which it was given."""

from hypothesis import given
from hypothesis import strategies as st

from pipelines.flink.offsets import Bounds, Gap
from pipelines.validation.judged_places import JudgedPlaces

TOPIC = "updates"


def judged(*offsets: int, partition: int = 0) -> JudgedPlaces:
    places = JudgedPlaces()
    for offset in offsets:
        places.add(TOPIC, partition, offset)
    places.close()
    return places


@given(st.sets(st.integers(0, 30)), st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5))), st.integers(0, 35))
def test_places_are_what_was_added(single: set[int], runs: list[tuple[int, int]], first: int) -> None:
    places = JudgedPlaces()
    for offset in single:
        places.add(TOPIC, 0, offset)
    places.add_ranges(TOPIC, 0, [range(start, start + length) for start, length in runs])
    places.close()
    offsets = single | {offset for start, length in runs for offset in range(start, start + length)}
    assert {offset for offset in range(40) if places.holds(TOPIC, 0, offset)} == offsets
    wanted = places.first_wanted(TOPIC, {0: Bounds(first, 40, 40)})[0]
    assert wanted == next(offset for offset in range(first, 99) if offset not in offsets)
    gone = {offset for gap in places.gaps(TOPIC, {0: Bounds(first, 40, 40)}) for offset in range(gap.first, gap.end)}
    assert gone == {offset for offset in range(min(offsets, default=first), first) if offset not in offsets}


def test_other_topics_and_partitions_are_others() -> None:
    places = judged(1, 2, partition=3)
    assert places.holds(TOPIC, 3, 2)
    assert not places.holds(TOPIC, 2, 2)
    assert not places.holds("enrolments", 3, 2)
    bounds = {2: Bounds(5, 9, 9), 3: Bounds(1, 9, 9)}
    assert places.first_wanted(TOPIC, bounds) == {2: 5, 3: 3}


def test_a_gap_ends_where_the_partition_begins() -> None:
    places = judged(4, 5, 8, 12)
    assert list(places.gaps(TOPIC, {0: Bounds(10, 20, 20)})) == [Gap(0, 6, 8), Gap(0, 9, 10)]
    assert list(places.gaps(TOPIC, {0: Bounds(6, 20, 20)})) == []


def test_what_lies_before_the_first_verdict_is_read_where_it_is_there() -> None:
    places = judged(4, 5)
    assert places.first_wanted(TOPIC, {0: Bounds(0, 9, 9)}) == {0: 0}
    assert list(places.gaps(TOPIC, {0: Bounds(3, 9, 9)})) == []
