"""Who is invited: golden vectors, exact thresholds, and the share that comes out."""

from fractions import Fraction

import pytest

from fluvial.wire.sampling import invited, round_seed

SEED = "94cfbfd8f70e4ededb25dbc7ead54481d039f835a7359d3b35e9aab6574a1e30"


def test_the_golden_seed() -> None:
    assert round_seed("heart", 3, 1, bytes(range(32))).hex() == SEED


@pytest.mark.parametrize(
    ("participant", "fractions"),
    [
        ("hospital-a", (False, False, False, False, False, True)),
        ("hospital-b", (False, True, True, True, True, True)),
        ("hospital-c", (False, False, False, True, True, True)),
        ("hospital-d", (False, False, False, False, True, True)),
    ],
)
def test_golden_invitations(participant: str, fractions: tuple[bool, ...]) -> None:
    seed = bytes.fromhex(SEED)
    assert tuple(invited(participant, seed, share) for share in (0.0, 0.1, 0.25, 0.5, 0.9, 1.0)) == fractions


def test_each_attempt_and_each_model_has_its_own_seed() -> None:
    seeds = {
        round_seed(task, number, attempt, bytes([digest]) * 32)
        for task in ("a", "b")
        for number in (1, 11)
        for attempt in (1, 2)
        for digest in (0, 1)
    }
    assert len(seeds) == 16


def test_about_the_asked_share_is_invited() -> None:
    count = sum(invited(f"participant-{number}", bytes(32), 0.3) for number in range(2_000))
    assert 500 < count < 700


def test_more_are_invited_with_a_larger_fraction_and_nobody_is_left_out_again() -> None:
    for number in range(200):
        answers = [invited(f"participant-{number}", bytes(32), float(Fraction(share, 16))) for share in range(17)]
        assert answers == sorted(answers)
        assert answers[-1]
