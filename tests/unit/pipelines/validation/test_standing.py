"""What is in force is written again until it stands last under its key."""

from __future__ import annotations

from pipelines.validation.standing import Standing

FORCE = {"task/a": b"newest", "task/b": b"other"}


def a_standing() -> Standing:
    standing = Standing(FORCE.get)
    standing.take(0, b"task/a", b"old")
    standing.take(1, b"task/a", b"newest")
    standing.take(2, b"task/b", b"other")
    return standing


def test_nothing_is_due_while_the_newest_stands_last() -> None:
    assert a_standing().due() == []


def test_whatever_comes_behind_it_makes_it_due_once() -> None:
    for junk in (b"old", b"junk", b""):
        standing = a_standing()
        standing.take(3, b"task/a", junk)
        assert standing.due() == [("task/a", b"newest")]
        standing.take(4, b"task/a", junk)  # it lies before what is under way
        assert standing.due() == []
        standing.take(5, b"task/a", b"newest")
        assert standing.due() == []
        standing.take(6, b"task/a", junk)
        assert standing.due() == [("task/a", b"newest")]


def test_what_follows_while_it_is_under_way_is_in_force_then() -> None:
    force = dict(FORCE)
    standing = Standing(force.get)
    standing.take(0, b"task/a", b"old")
    assert standing.due() == [("task/a", b"newest")]
    force["task/a"] = b"next"
    standing.take(1, b"task/a", b"next")
    assert standing.due() == []
    standing.take(2, b"task/a", b"newest")  # what was under way has come behind it
    assert standing.due() == [("task/a", b"next")]


def test_records_that_were_met_and_keys_of_nobody_mean_nothing() -> None:
    standing = a_standing()
    standing.take(0, b"task/a", b"old")
    standing.take(3, b"task/nobody", b"junk")
    standing.take(4, b"\xff", b"junk")
    standing.take(5, None, b"junk")
    assert standing.due() == []
