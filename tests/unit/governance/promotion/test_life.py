"""The life of a variant."""

import pytest

from governance.promotion.life import TRANSITIONS, Step, VariantState, after, picture


def test_a_variant_that_was_held_stays_held():
    assert all(before is not VariantState.HELD for before, _ in TRANSITIONS)
    with pytest.raises(ValueError, match="nothing can"):
        after(VariantState.HELD, Step.ALL_WITHIN)


def test_only_what_is_within_its_margins_or_was_so_before_is_promoted():
    ways = {step for (_, step), then in TRANSITIONS.items() if then is VariantState.PROMOTED}
    assert ways == {Step.ALL_WITHIN, Step.OPERATORS_PROMOTE, Step.ROLL_BACK_TO}
    waits = {step for (_, step), then in TRANSITIONS.items() if then is VariantState.AWAITING}
    assert waits == {Step.SIGNATURES_NEEDED}


def test_what_can_happen_instead_is_said():
    with pytest.raises(ValueError, match="OPERATORS_HOLD"):
        after(VariantState.BUILT, Step.ROLL_BACK)


def test_the_picture_shows_every_transition():
    assert picture().count("-->") == len(TRANSITIONS) + 1
