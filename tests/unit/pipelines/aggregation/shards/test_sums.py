"""The cache of exact sums: whatever was added to it, what `take` asks for makes the sum of what is wanted."""

import threading

import numpy as np
import numpy.typing as npt
import pytest

from models.aggregation.fixed_point import ChunkSum
from pipelines.aggregation.shards.sums import Addend, ExactSums, add_to
from tests.unit.pipelines.aggregation.builders import a_round, an_update

ROUND = a_round()
VALUES = {number: np.arange(4, dtype=np.float32) * np.float32(0.37) * number for number in range(1, 6)}
CHUNK_BYTES = 4 * 8


def addend(number: int, coefficient: int = 10) -> Addend:
    return Addend(record_sha256=bytes([number]) * 32, update=an_update(number), coefficient=coefficient)


def raw(number: int) -> bytes:
    return VALUES[number].tobytes()


def number_of(one: Addend) -> int:
    return one.record_sha256[0]


def total_of(wanted: list[Addend]) -> npt.NDArray[np.int64]:
    """The sum made in one go."""
    total = ChunkSum(4, ROUND.fraction_bits)
    for one in wanted:
        total.add(VALUES[number_of(one)], one.coefficient)
    return total.values


def settled(sums: ExactSums, wanted: list[Addend], index: int = 0) -> tuple[npt.NDArray[np.int64], list[int]]:
    """The sum with what `take` asked for, and which updates that were."""
    total, changes = sums.take(ROUND, index, wanted)
    for one, coefficient in changes:
        add_to(total, ROUND, index, one, coefficient, raw(number_of(one)))
    return total.values, sorted(number_of(one) for one, _ in changes)


def test_what_was_added_need_not_be_read() -> None:
    sums = ExactSums(1 << 20)
    wanted = [addend(1), addend(2)]
    for one in wanted * 2:
        assert sums.add(ROUND, 0, one, raw(number_of(one)))
    values, read = settled(sums, wanted)
    assert read == []
    np.testing.assert_array_equal(values, total_of(wanted))
    assert sums.num_bytes == 0


def test_an_empty_cache_asks_for_everything() -> None:
    values, read = settled(ExactSums(0), [addend(1), addend(2)])
    assert read == [1, 2]
    np.testing.assert_array_equal(values, total_of([addend(1), addend(2)]))


def test_only_differences_are_read() -> None:
    sums = ExactSums(1 << 20)
    for number in (1, 2, 3, 4):
        sums.add(ROUND, 0, addend(number), raw(number))
    wanted = [addend(1), addend(2, coefficient=7), addend(3), addend(5)]
    values, read = settled(sums, wanted)
    assert read == [2, 4, 5]
    np.testing.assert_array_equal(values, total_of(wanted))


def test_a_sum_of_mostly_others_starts_again() -> None:
    sums = ExactSums(1 << 20)
    for number in (1, 2, 3, 4):
        sums.add(ROUND, 0, addend(number), raw(number))
    values, read = settled(sums, [addend(5)])
    assert read == [5]
    np.testing.assert_array_equal(values, total_of([addend(5)]))


def test_nothing_is_added_to_a_round_that_is_settled_or_gone_by() -> None:
    sums = ExactSums(1 << 20)
    sums.add(ROUND, 0, addend(1), raw(1))
    sums.take(ROUND, 1, [])
    assert not sums.accepts(ROUND, 0, addend(2).record_sha256)
    assert not sums.add(ROUND, 0, addend(2), raw(2))
    assert settled(sums, [addend(1)])[1] == []
    again = a_round(attempt=2)
    assert sums.add(again, 0, addend(1), raw(1))
    assert not sums.add(ROUND, 0, addend(2), raw(2))
    assert settled(sums, [addend(1)])[1] == [1]
    assert sums.take(again, 0, [addend(1)])[1] == []


def test_bytes_that_do_not_fit_leave_nothing_behind() -> None:
    sums = ExactSums(1 << 20)
    sums.add(ROUND, 0, addend(1), raw(1))
    with pytest.raises(ValueError, match="do not hold 4 elements"):
        sums.add(ROUND, 0, addend(2), raw(2)[:-1])
    with pytest.raises(ValueError, match="not finite"):
        sums.add(ROUND, 0, addend(3), np.array([1, 2, 3, np.nan], np.float32).tobytes())
    values, read = settled(sums, [addend(1)])
    assert read == [1]
    np.testing.assert_array_equal(values, total_of([addend(1)]))


def test_the_budget_holds_and_idle_rounds_give_way() -> None:
    now = [0.0]
    sums = ExactSums(2 * CHUNK_BYTES, lambda: now[0])
    idle = a_round(task="idle")
    assert sums.add(idle, 0, addend(1), raw(1))
    assert sums.add(ROUND, 0, addend(1), raw(1))
    assert not sums.add(ROUND, 1, addend(1), raw(1))
    now[0] = 50.0
    assert sums.add(ROUND, 0, addend(2), raw(2))
    now[0] = 70.0
    assert sums.add(ROUND, 1, addend(1), raw(1))
    assert sums.num_bytes == 2 * CHUNK_BYTES
    assert settled(sums, [addend(1), addend(2)])[1] == []
    sums.forget(ROUND.task)
    assert sums.num_bytes == 0


def test_threads_that_add_the_same_add_it_once() -> None:
    sums = ExactSums(1 << 20)
    wanted = [addend(number) for number in VALUES]
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        for one in wanted:
            sums.add(ROUND, 0, one, raw(number_of(one)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    values, read = settled(sums, wanted)
    assert read == []
    np.testing.assert_array_equal(values, total_of(wanted))


def test_another_coefficient_of_a_regions_sum_is_not_a_difference() -> None:
    sums = ExactSums(1 << 20)
    scales = (float(2 * 2**ROUND.fraction_bits),)
    integers = np.array([3, -1, 5, 2], "<i8")
    region = an_update(1, encoding="partial_sum", scales=scales, weight=2)
    before = Addend(record_sha256=region.record_sha256, update=region, coefficient=3)
    after = Addend(record_sha256=region.record_sha256, update=region, coefficient=4)
    others = [addend(number) for number in (2, 3)]
    for one in (before, *others):
        sums.add(ROUND, 0, one, integers.tobytes() if one is before else raw(number_of(one)))
    total, changes = sums.take(ROUND, 0, [after, *others])
    assert [coefficient for _, coefficient in changes] == [-3, 4]
    for one, coefficient in changes:
        add_to(total, ROUND, 0, one, coefficient, integers.tobytes())
    np.testing.assert_array_equal(total.values - total_of(others), 2 * integers)
