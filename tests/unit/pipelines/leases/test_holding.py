"""Transactional ids: whose they are, and that none is the beginning of another's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.leases.holding import SINK, Holding, User, user_of

HOLDING = Holding(epoch=12, offset=3, stages=("audit",), secret="0123456789abcdef")


def test_an_id_names_its_lease_and_writer() -> None:
    assert user_of(HOLDING.transactional_id("f.", SINK) + "-0-17", "f.") == User(12, SINK)
    assert user_of(HOLDING.transactional_id("f.", "models-3"), "f.") == User(12, "models")


@pytest.mark.parametrize(
    "known", ["", "f.", "g.lease-12/x/sink", "f.lease-/x/sink", "f.lease-0/x/sink", "f.lease-12/sink", "f.lease-12/x/"]
)
def test_ids_of_others_are_nobodys(known: str) -> None:
    assert user_of(known, "f.") is None


def test_who_aborts_all_ids_under_its_own_aborts_nobody_elses() -> None:
    others = [
        holding.transactional_id(prefix, writer)
        for holding in (HOLDING, replace(HOLDING, epoch=1), replace(HOLDING, epoch=123))
        for prefix in ("f.", "f.f.")
        for writer in (SINK, "models-0")
    ]
    assert [sum(other.startswith(mine) for other in others) for mine in others] == [1] * len(others)


def test_an_id_cannot_be_guessed_from_what_is_public() -> None:
    assert "0123456789abcdef" in HOLDING.transactional_id("f.", SINK)
    with pytest.raises(ValueError, match="secret"):
        Holding(epoch=1, offset=0, stages=("audit",), secret="short")
