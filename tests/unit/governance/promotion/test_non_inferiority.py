"""Bounds and tests of paired counts, against scipy and against an implementation that shares nothing with ours."""

import numpy as np
import pytest
import scipy

from governance.promotion.counts import PairedCounts
from governance.promotion.non_inferiority import Z_95, harm_p_value, holm, score_bound, upper_bound


def counts(num_examples, harmed, helped):
    return PairedCounts(both=num_examples - harmed - helped, harmed=harmed, helped=helped, neither=0)


def tango_by_likelihood(size, harmed, helped):
    """Tango's bound from its definition: the score statistic with the nuisance found by maximising the likelihood."""

    def score(drop):
        def minus_likelihood(q):
            p = q + drop
            stay = 1 - p - q
            return -(harmed * np.log(p) + helped * np.log(q) + (size - harmed - helped) * np.log(stay))

        low, high = max(1e-15, -drop + 1e-15), (1 - drop) / 2 - 1e-15
        q = scipy.optimize.minimize_scalar(
            minus_likelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-14}
        ).x
        return (harmed - helped - size * drop) / np.sqrt(size * (2 * q + drop * (1 - drop)))

    observed = (harmed - helped) / size
    return scipy.optimize.brentq(lambda drop: score(drop) + Z_95, observed, 1 - 1e-9, xtol=1e-12)


@pytest.mark.parametrize(
    ("size", "harmed", "helped"), [(100, 3, 1), (300, 5, 2), (300, 2, 5), (1000, 53, 7), (266, 21, 3), (40, 10, 9)]
)
def test_the_bound_is_tangos(size, harmed, helped):
    expected = tango_by_likelihood(size, harmed, helped)
    assert score_bound(counts(size, harmed, helped)) == pytest.approx(expected, abs=1e-6)
    assert expected < upper_bound(counts(size, harmed, helped)) < expected + 0.2 / size**0.5


@pytest.mark.parametrize(("size", "harmed"), [(300, 0), (300, 2), (266, 21), (30, 30), (1, 0)])
def test_where_nobody_was_helped_the_bound_is_at_least_the_exact_one(size, harmed):
    exact = 1.0 if harmed == size else scipy.stats.beta.ppf(0.95, harmed + 1, size - harmed)
    assert upper_bound(counts(size, harmed, 0)) >= exact - 1e-9


def test_not_one_change_gives_the_rule_of_three():
    assert upper_bound(counts(300, 0, 0)) == pytest.approx(3 / 300, rel=0.01)


def test_of_no_examples_nothing_is_known():
    assert upper_bound(counts(0, 0, 0)) == 1.0


def test_more_losses_never_lower_the_bound_and_more_gains_never_raise_it():
    bounds = [[upper_bound(counts(200, harmed, helped)) for helped in range(1, 20)] for harmed in range(20)]
    table = np.array(bounds)
    assert (np.diff(table, axis=0) >= 0).all()
    assert (np.diff(table, axis=1) <= 0).all()


@pytest.mark.parametrize(("harmed", "helped"), [(21, 0), (24, 3), (0, 0), (3, 9), (130, 80)])
def test_the_p_value_is_that_of_mcnemars_exact_test(harmed, helped):
    expected = scipy.stats.binomtest(harmed, harmed + helped, alternative="greater").pvalue if harmed + helped else 1.0
    assert harm_p_value(counts(1000, harmed, helped)) == pytest.approx(expected, rel=1e-9)


def test_holm_adjusts_the_smallest_the_most_and_keeps_the_order():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="at least 0"):
        PairedCounts(both=1, harmed=-1, helped=0, neither=0)


@pytest.mark.parametrize("size", [1, 40, 3_000, 100_000])
@pytest.mark.parametrize("share", [0.45, 0.5, 0.52, 0.6, 1.0])
def test_the_p_value_is_exact_for_as_many_changes_as_there_may_be(size, share):
    harmed = round(size * share)
    expected = scipy.stats.binom.sf(harmed - 1, size, 0.5)
    assert harm_p_value(counts(10**6, harmed, size - harmed)) == pytest.approx(expected, rel=1e-8, abs=1e-300)


@pytest.mark.parametrize(("harmed", "size"), [(999, 10**4), (1_000, 10**4), (1_001, 10**4), (10**5, 10**7)])
def test_many_losses_have_a_bound_beyond_the_exact_one_by_less_than_two_examples(harmed, size):
    exact = scipy.stats.beta.ppf(0.95, harmed + 1, size - harmed)
    assert exact - 1e-12 <= upper_bound(counts(size, harmed, 0)) < exact + 2 * (1 + harmed**0.5 / 50) / size


def test_gains_do_not_prove_what_too_few_examples_cannot():
    assert upper_bound(counts(200, 0, 5)) >= 1 - 0.05 ** (1 / 200) - 1e-12


@pytest.mark.timeout(10)
def test_no_numbers_that_anybody_may_send_keep_the_gate_busy():
    for harmed, helped in ((1 << 39, 1 << 39), (1 << 39, 0), (1 << 20, 1 << 20), (100_000, 0), (50_000, 50_000)):
        for _ in range(100):
            table = PairedCounts(both=1 << 39, harmed=harmed, helped=helped, neither=0)
            assert 0 <= harm_p_value(table) <= 1
            assert -1 <= upper_bound(table) <= 1
