import pytest

from deploy.bench.rates import steady_rate, windows


def test_a_slow_start_and_a_last_batch_do_not_count() -> None:
    #        start-up: 20 records in 10 s   steady: 1 a millisecond      last batch: all at once
    times_ms = [500 * i for i in range(20)] + [10_000 + i for i in range(75)] + [10_200] * 5
    rate = steady_rate(times_ms)
    assert rate.per_second == pytest.approx(1000)
    assert rate.records == 74


def test_order_of_arrival_does_not_matter() -> None:
    times_ms = list(range(0, 1000, 5))
    assert steady_rate(times_ms[::-1]) == steady_rate(times_ms)


@pytest.mark.parametrize("times_ms", [[], [7], [7] * 100])
def test_what_tells_no_rate_is_an_error(times_ms: list[int]) -> None:
    with pytest.raises(ValueError, match="too few"):
        steady_rate(times_ms)


def test_records_are_counted_by_the_second() -> None:
    assert windows([1000, 1999, 2000, 4500]) == [2, 1, 0, 1]
    assert windows([]) == []
