"""Each attack against its definition."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.attacks import (
    ALittleIsEnough,
    Attack,
    GaussianNoise,
    InnerProductManipulation,
    MinMax,
    SignFlip,
    flip_labels,
)
from models.attacks.a_little_is_enough import hidden_deviations
from models.attacks.min_max import largest_factor

ATTACKS: tuple[Attack, ...] = (
    SignFlip(),
    InnerProductManipulation(factor=0.1),
    InnerProductManipulation(factor=100.0),
    ALittleIsEnough(),
    ALittleIsEnough(deviations=1.5),
    MinMax(),
    GaussianNoise(deviation=0.5),
)


def honest(seed: int = 0, num_updates: int = 10, size: int = 200) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0.1, 1.0, (num_updates, size)).astype(np.float32)


def crafted(attack: Attack, updates: NDArray[np.float32], num_byzantine: int) -> NDArray[np.float32]:
    return attack.craft(updates, num_byzantine, np.random.default_rng(7))


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_an_attack_gives_finite_float32_rows_and_the_same_ones_from_the_same_seed(attack: Attack) -> None:
    updates = honest()
    rows = crafted(attack, updates, 3)
    assert rows.dtype == np.float32
    assert rows.shape == (3, 200)
    assert np.isfinite(rows).all()
    assert np.array_equal(rows, crafted(attack, updates, 3))


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_an_attack_refuses_what_is_no_round(attack: Attack) -> None:
    with pytest.raises(ValueError, match="at least two"):
        crafted(attack, honest(num_updates=1), 1)
    with pytest.raises(ValueError, match="at least 1"):
        crafted(attack, honest(), 0)
    broken = honest()
    broken[3, 5] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        crafted(attack, broken, 1)


def test_sign_flip_and_inner_product_manipulation_are_multiples_of_the_mean() -> None:
    updates = honest()
    mean = updates.astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(crafted(SignFlip(), updates, 1)[0], -mean, rtol=1e-6)
    for factor in (0.1, 100.0):
        row = crafted(InnerProductManipulation(factor=factor), updates, 1)[0]
        np.testing.assert_allclose(row, -factor * mean, rtol=1e-6)


def test_attacks_agree_with_byzfl() -> None:
    import byzfl  # late: it takes seconds, and its absence fails this test alone

    updates = honest()
    exact = updates.astype(np.float64)
    pairs: list[tuple[Attack, Any]] = [
        (SignFlip(), byzfl.SignFlipping()),
        (InnerProductManipulation(factor=0.1), byzfl.InnerProductManipulation(tau=0.1)),
        (ALittleIsEnough(deviations=1.5), byzfl.ALittleIsEnough(tau=1.5)),
    ]
    for ours, theirs in pairs:
        np.testing.assert_allclose(crafted(ours, updates, 1)[0], theirs(exact), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("num_updates", "num_byzantine", "expected"),
    [
        (20, 4, 0.157),
        (20, 6, 0.366),
        (50, 10, 0.253),
        (50, 12, 0.336),
        (60, 12, 0.264),
        (60, 18, 0.497),
        (100, 20, 0.286),
        (100, 30, 0.524),
        (100, 40, 0.903),
    ],
)
def test_a_little_is_enough_moves_by_the_quantile_of_the_paper(
    num_updates: int, num_byzantine: int, expected: float
) -> None:
    assert hidden_deviations(num_updates, num_byzantine) == pytest.approx(expected, abs=5e-4)
    updates = honest(num_updates=num_updates - num_byzantine)
    moved = crafted(ALittleIsEnough(), updates, num_byzantine)[0] - updates.astype(np.float64).mean(axis=0)
    deviation = updates.astype(np.float64).std(axis=0, ddof=1)
    np.testing.assert_allclose(moved, hidden_deviations(num_updates, num_byzantine) * deviation, atol=1e-6)


def test_a_little_is_enough_needs_a_minority() -> None:
    with pytest.raises(ValueError, match="below half"):
        hidden_deviations(10, 5)
    with pytest.raises(ValueError, match="below half"):
        crafted(ALittleIsEnough(), honest(num_updates=4), 4)
    assert crafted(ALittleIsEnough(deviations=1.0), honest(num_updates=4), 4).shape == (4, 200)


@pytest.mark.parametrize("seed", range(5))
def test_min_max_reaches_its_bound_exactly(seed: int) -> None:
    updates = honest(seed)
    exact = updates.astype(np.float64)
    bound = max(float(np.linalg.norm(one - other)) for one in exact for other in exact)
    mean, deviation = exact.mean(axis=0), exact.std(axis=0, ddof=1)

    def farthest(factor: float) -> float:
        return float(np.linalg.norm(mean - factor * deviation - exact, axis=1).max())

    factor = largest_factor(updates)
    assert factor > 0
    assert farthest(factor) == pytest.approx(bound, rel=1e-12)
    assert farthest(factor * 1.001) > bound
    sent = crafted(MinMax(), updates, 2)
    assert float(np.linalg.norm(sent[0] - exact, axis=1).max()) == pytest.approx(bound, rel=1e-6)


def test_min_max_of_equal_updates_is_that_update() -> None:
    updates = np.repeat(honest(num_updates=2)[:1], 4, axis=0)
    assert largest_factor(updates) == 0.0
    assert np.array_equal(crafted(MinMax(), updates, 1)[0], updates[0])


def test_noise_has_its_deviation_and_differs_between_attackers() -> None:
    rows = crafted(GaussianNoise(deviation=0.5), honest(size=20_000), 2)
    assert float(rows.std()) == pytest.approx(0.5, rel=0.02)
    assert float(rows.mean()) == pytest.approx(0.0, abs=0.02)
    assert not np.array_equal(rows[0], rows[1])


def test_flipped_labels_are_mirrored_and_flip_back() -> None:
    labels = np.arange(10, dtype=np.int64)
    assert flip_labels(labels, 10).tolist() == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert np.array_equal(flip_labels(flip_labels(labels, 10), 10), labels)
    with pytest.raises(ValueError, match="classes"):
        flip_labels(labels, 9)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_parameters_must_make_sense(value: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        InnerProductManipulation(factor=value)
    with pytest.raises(ValueError, match="positive"):
        GaussianNoise(deviation=value)


def test_deviations_must_be_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        ALittleIsEnough(deviations=float("nan"))
