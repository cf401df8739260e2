"""Shares of the gate: full at first, filled by the brokers' clock, one for each name, one for all names of nobody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluvial.admission.rates import BYTES_OF_ONE, LEAST_BURST, WINDOW_MS, Rate, Rates, Sent

RATE = Rate(burst=64, per_second=32)


def test_a_burst_is_taken_and_what_flows_in_after_it() -> None:
    rates = Rates(RATE, RATE)
    assert [rates.take((0, "alice"), 100, 1_000) for _ in range(65)] == [True] * 64 + [False]
    assert [rates.take((0, "alice"), 100, 2_000) for _ in range(33)] == [True] * 32 + [False]
    assert all(rates.take((0, "alice"), 100, 1_000_000) for _ in range(64))


def test_large_records_take_more_but_one_alone_is_always_looked_at() -> None:
    rates = Rates(RATE, RATE)
    assert [rates.take((0, "alice"), 31 * BYTES_OF_ONE, 0) for _ in range(3)] == [True, True, False]
    assert Rates(RATE, RATE).take((0, "alice"), 1_000 * BYTES_OF_ONE, 0)


def test_a_name_takes_nothing_from_another_one_nor_do_those_of_nobody() -> None:
    rates = Rates(RATE, RATE)
    while rates.take((0, "alice"), 1, 0) or rates.take((0, ""), 1, 0):
        pass
    assert rates.take((0, "bob"), 1, 0)
    assert rates.take((1, "alice"), 1, 0)


def test_a_clock_that_goes_back_gives_nobody_more() -> None:
    rates = Rates(RATE, RATE)
    taken = sum(rates.take((0, "alice"), 1, at_ms) for at_ms in [5_000, 1_000] * 200)
    assert taken == 64


def test_a_bucket_fills_again_after_a_clock_was_set_back_for_good() -> None:
    rates, year_ms = Rates(RATE, RATE), 365 * 24 * 3_600_000
    for at_ms in (year_ms, 1_000):
        while rates.take((0, "alice"), 1, at_ms):
            pass
    assert all(rates.take((0, "alice"), 1, at_ms) for at_ms in range(2_000, 200_000, 1_000))


@pytest.mark.parametrize(("burst", "per_second"), [(LEAST_BURST - 1, 64), (256, 4)])
def test_rates_that_an_auditor_could_not_check_are_refused(burst: int, per_second: int) -> None:
    with pytest.raises(ValueError, match="a rate holds"):
        Rate(burst=burst, per_second=per_second)


@given(
    rate=st.tuples(st.integers(64, 300), st.integers(5, 100)).filter(lambda rate: rate[1] * 60 >= rate[0]),
    sent=st.lists(st.tuples(st.sampled_from(["alice", "bob"]), st.integers(0, 4_000_000), st.integers(0, 3_000))),
)
def test_what_any_gate_refuses_an_auditor_finds_to_be_too_much(
    rate: tuple[int, int], sent: list[tuple[str, int, int]]
) -> None:
    """Whatever the operator's rates are, by the records alone."""
    sent = sent * 20
    rates, recent, at_ms = Rates(Rate(*rate), Rate(*rate)), Sent(), 0
    for name, num_bytes, pause_ms in sent:
        at_ms += pause_ms
        recent.add(0, name, num_bytes, at_ms)
        if not rates.take((0, name), num_bytes, at_ms):
            assert recent.may_be_too_much(0, name)


def test_an_auditor_forgets_what_is_long_past() -> None:
    recent = Sent()
    for _ in range(LEAST_BURST):
        recent.add(0, "alice", 1, 0)
    assert recent.may_be_too_much(0, "alice")
    assert recent.may_be_too_much(0, "")
    recent.add(0, "alice", 1, WINDOW_MS + 1)
    assert not recent.may_be_too_much(0, "alice")
