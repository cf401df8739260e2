"""The paired bootstrap over clusters."""

import numpy as np
import pytest

from models.evaluation.bootstrap import paired_drop

SEED = bytes(range(32))
N = 400


def mean_of(values):
    return lambda indices: float(np.mean(values[indices]))


def test_equal_answers_lose_nothing():
    values = np.random.default_rng(1).normal(size=N)
    drop = paired_drop(mean_of(values), mean_of(values), np.arange(N), seed=SEED, higher_is_better=True)
    assert (drop.drop, drop.bound, drop.p_value) == (0.0, 0.0, 1.0)


def test_the_same_seed_gives_the_same_bound_and_another_one_another():
    random = np.random.default_rng(2)
    reference, variant = random.normal(size=N), random.normal(size=N)

    def bound(seed):
        return paired_drop(
            mean_of(reference), mean_of(variant), np.arange(N), seed=seed, higher_is_better=True, resamples=200
        ).bound

    assert bound(SEED) == bound(SEED) != bound(bytes(32))


def test_the_bound_of_a_mean_is_that_of_the_normal_approximation():
    random = np.random.default_rng(3)
    reference = random.normal(size=N)
    variant = reference - random.normal(0.1, 1.0, size=N)
    drop = paired_drop(mean_of(reference), mean_of(variant), np.arange(N), seed=SEED, higher_is_better=True)
    difference = reference - variant
    expected = difference.mean() + 1.645 * difference.std(ddof=1) / np.sqrt(N)
    assert drop.bound == pytest.approx(expected, abs=0.02)


def test_an_error_that_grows_is_a_drop():
    errors = np.ones(N)
    drop = paired_drop(mean_of(errors), mean_of(errors + 0.25), np.arange(N), seed=SEED, higher_is_better=False)
    assert drop.drop == drop.bound == 0.25
    assert drop.p_value < 0.001


def test_examples_of_one_person_are_one_piece_of_evidence():
    random = np.random.default_rng(4)
    persons = np.repeat(np.arange(20), N // 20)
    lost = np.repeat(random.normal(0.0, 1.0, 20), N // 20)
    zero = np.zeros(N)

    def bound(clusters):
        return paired_drop(mean_of(lost), mean_of(zero), clusters, seed=SEED, higher_is_better=True).bound

    assert bound(persons) - lost.mean() > 3 * (bound(np.arange(N)) - lost.mean())


def test_a_metric_that_is_defined_too_rarely_is_refused():
    def metric(indices):
        if len(np.unique(indices)) < len(indices):
            raise ValueError("repeated")
        return 0.0

    with pytest.raises(ValueError, match="too few to bound"):
        paired_drop(metric, metric, np.arange(30), seed=SEED, higher_is_better=True, resamples=20)
