"""What is wanted of a partition comes in the order of the log, whoever asked for it and whenever."""

from pipelines.validation.wanted_chunks import WantedChunks


def taken(wanted: WantedChunks[str], count: int) -> list[tuple[int, int, str] | None]:
    return [wanted.take() for _ in range(count)]


def test_what_is_wanted_later_but_lies_before_what_is_left_comes_next() -> None:
    wanted = WantedChunks[str]()
    wanted.add([(7, 0, "a"), (3, 1, "a"), (9, 2, "a")])
    assert taken(wanted, 2) == [(3, 1, "a"), (7, 0, "a")]
    wanted.add([(8, 0, "b"), (2, 1, "b")])
    assert len(wanted) == 3
    assert taken(wanted, 4) == [(2, 1, "b"), (8, 0, "b"), (9, 2, "a"), None]
    assert len(wanted) == 0


def test_the_same_chunk_is_taken_once_for_each_who_wants_it() -> None:
    wanted = WantedChunks[str]()
    wanted.add([(5, 0, "a")])
    wanted.add([(5, 0, "b")])
    assert taken(wanted, 3) == [(5, 0, "a"), (5, 0, "b"), None]


def test_what_is_forgotten_is_not_taken() -> None:
    wanted = WantedChunks[str]()
    wanted.add([(1, 0, "a"), (2, 0, "b"), (3, 1, "a"), (4, 1, "b")])
    assert wanted.take() == (1, 0, "a")
    wanted.forget("a")
    wanted.forget("a")
    assert taken(wanted, 3) == [(2, 0, "b"), (4, 1, "b"), None]


def test_a_stretch_counts_what_is_left_of_it() -> None:
    wanted = WantedChunks[str]()
    wanted.add((offset, 0, "a") for offset in (1, 2, 5, 6))
    assert (wanted.num_between(1, 6), wanted.num_between(3, 5), wanted.num_between(0, 9)) == (3, 0, 4)
    wanted.take()
    assert (wanted.num_between(1, 6), wanted.num_between(0, 2)) == (2, 0)
