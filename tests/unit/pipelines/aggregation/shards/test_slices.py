from collections.abc import Iterator

from pipelines.aggregation.shards.slices import Pace, Turns, Work


def work(name: str, slices: int, done: list[str]) -> Work[str]:
    for _ in range(slices):
        done.append(name)
        yield
    return name.upper()


def ends(turns: Turns[str]) -> Iterator[tuple[str, str]]:
    while len(turns):
        ended = turns.take()
        if ended is not None:
            yield ended


def test_each_has_a_slice_in_turn() -> None:
    done: list[str] = []
    turns: Turns[str] = Turns()
    turns.add("a", work("a", 3, done))
    turns.add("b", work("b", 2, done))
    assert "a" in turns
    assert list(ends(turns)) == [("b", "B"), ("a", "A")]
    assert done == ["a", "b", "a", "b", "a"]
    assert turns.take() is None


def test_what_has_just_come_is_short_more_often_than_not() -> None:
    done: list[str] = []
    turns: Turns[str] = Turns()
    turns.add("long", work("long", 3, done))
    turns.add_first("short", work("short", 0, done))
    assert list(ends(turns)) == [("short", "SHORT"), ("long", "LONG")]


def test_a_slice_is_over_after_its_bytes() -> None:
    pace = Pace(10)
    assert [pace.is_over(4) for _ in range(6)] == [False, False, True, False, False, True]
