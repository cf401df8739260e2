"""Which items an operator goes on without."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fluvial.wire.records import Failure
from pipelines.flink.suspects import Suspects


def failure(*items: str, **changes: Any) -> Failure:
    fields: dict[str, Any] = {
        "operator": "validate",
        "submission": "s",
        "error": "KeyError",
        "traceback": "",
        "time_ms": 1,
    }
    return Failure(**{**fields, "items": items, **changes})


def suspects(*failures: Failure) -> Suspects:
    return Suspects("validate", "s", 3, failures)


def test_two_failures_alone_are_one_too_many() -> None:
    assert suspects(failure("0@7")).condemned("0@7") is None
    again = failure("0@7", time_ms=2)
    assert suspects(failure("0@7"), again).condemned("0@7") == again


def test_a_copy_of_a_failure_condemns_nobody() -> None:
    """Which has its proof, as whatever a stage wrote."""
    assert suspects(*[failure("0@7")] * 20).condemned("0@7") is None


def test_in_a_bundle_nobody_is_condemned_before_it_failed_alone() -> None:
    both = failure("0@1", "0@2")
    assert suspects(both, failure("0@1", "0@2", time_ms=2), failure("0@1", "0@2", time_ms=3)).condemned("0@1") is None
    found = suspects(both, failure("0@2"))
    assert found.condemned("0@2") == failure("0@2")
    assert found.condemned("0@1") is None


def test_what_was_handled_is_no_suspect_any_more() -> None:
    found = suspects(failure("0@1", "0@2"))
    assert len(found) == 2
    found.acquit(["0@1", "0@9"])
    assert "0@1" not in found
    assert "0@2" in found


def test_other_operators_and_submissions_are_other_matters() -> None:
    found = suspects(failure("0@1", operator="enrol"), failure("0@1", submission="t"), failure("0@1", set_aside=True))
    assert not found


def test_suspects_are_taken_apart_from_the_rest() -> None:
    found = suspects(failure("b", "e"))
    assert found.apart(list("abcdef")) == [range(1), range(1, 2), range(2, 4), range(4, 5), range(5, 6)]
    assert found.apart(list("acd")) == [range(3)]
    assert found.apart([]) == []


@given(st.sets(st.integers(0, 30)), st.integers(0, 31))
def test_a_bundle_taken_apart_is_the_bundle_in_its_order(guilty: set[int], size: int) -> None:
    parts = suspects(failure(*map(str, guilty))).apart([str(place) for place in range(size)])
    assert [place for part in parts for place in part] == list(range(size))
    assert all(len(part) == 1 or not guilty & set(part) for part in parts)
