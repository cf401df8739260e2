"""Which leases count, and whom they end."""

from __future__ import annotations

import pytest

from fluvial.wire.records import Fencing
from tests.unit.pipelines.leases.builders import KEY, OTHER_KEY, lease, sealed, table_of


def epochs(*records: bytes, stages: tuple[str, ...] = ("validation", "aggregation", "audit")) -> list[int]:
    return [held.lease.epoch for held in table_of(*records).holders(stages)]


def test_a_lease_ends_those_that_name_one_of_its_stages_as_a_whole() -> None:
    first, second, third = lease(1, "validation", "audit"), lease(2, "aggregation"), lease(3, "audit", job="two")
    table = table_of(*map(sealed, (first, second, third)))
    assert epochs(*map(sealed, (first, second, third))) == [2, 3]
    assert table.holders(["validation"]) == []
    successor = table.successor(1)
    assert successor is not None
    assert (successor.lease, successor.offset, successor.timestamp_ms) == (third, 2, 2000)
    assert table.successor(2) is table.successor(3) is None


def test_of_two_that_take_stages_at_once_the_first_in_the_log_has_them() -> None:
    assert epochs(sealed(lease(1, "audit")), sealed(lease(2, "audit", job="two")), sealed(lease(2, "audit"))) == [2]
    table = table_of(sealed(lease(1, "audit")), sealed(lease(2, "audit", job="two")), sealed(lease(2, "validation")))
    assert table.at(2).lease.job == "two"
    assert table.holders(["validation"]) == []


def test_a_copy_of_an_old_lease_means_nothing() -> None:
    old, new = sealed(lease(1, "audit")), sealed(lease(2, "audit", job="two"))
    assert epochs(old, new, old, new, old) == [2]


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"garbage",
        sealed(lease(2, "audit"), OTHER_KEY),
        sealed(lease(3, "audit")),
        sealed(lease(0, "audit")),
        sealed(lease(-1, "audit")),
        sealed(lease(2)),
    ],
    ids=["empty", "garbage", "another key", "a number ahead", "zero", "negative", "no stages"],
)
def test_what_does_not_count_changes_nothing(record: bytes) -> None:
    assert epochs(sealed(lease(1, "audit")), record, sealed(lease(2, "validation"))) == [1, 2]


def test_earlier_holders_of_a_leases_stages_are_known_whether_they_were_ended_or_not() -> None:
    table = table_of(
        *map(
            sealed,
            (
                lease(1, "validation", "audit"),
                lease(2, "aggregation"),
                lease(3, "audit"),
                lease(4, "audit", "aggregation"),
                lease(5, "validation"),
            ),
        )
    )
    assert table.unfenced_epochs(4) == {1, 2, 3}
    assert table.unfenced_epochs(5) == {1}
    assert table.unfenced_epochs(1) == set()


def test_whom_a_holder_in_between_has_fenced_nobody_fences_again() -> None:
    leases = [
        lease(1, "validation", "audit"),
        lease(2, "aggregation"),
        lease(3, "audit"),
        lease(4, "audit", "aggregation"),
    ]
    table = table_of(*map(sealed, leases))
    for epoch, key in [(3, OTHER_KEY), (5, KEY), (0, KEY)]:
        table.add(sealed(Fencing(epoch=epoch), key), 9, 9_000)
    assert table.unfenced_epochs(4) == {1, 2, 3}, "signed by somebody else, or of a lease that is not there"
    assert not table.add(sealed(Fencing(epoch=3)), 9, 9_000)
    assert table.unfenced_epochs(4) == {2, 3}
    assert table.epoch == 4
    table.add(sealed(Fencing(epoch=4)), 10, 10_000)
    table.add(sealed(lease(5, "aggregation", "validation")), 11, 11_000)
    assert table.unfenced_epochs(5) == {4}


@pytest.mark.parametrize("epoch", [0, -1, 2])
def test_a_lease_that_was_not_taken_is_not_found(epoch: int) -> None:
    with pytest.raises(IndexError):
        table_of(sealed(lease(1, "audit"))).at(epoch)
