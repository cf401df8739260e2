"""Who plays what."""

from __future__ import annotations

import pytest

from deploy.demo.cast import Role, cast, dump, load


def test_with_many_groups_everyone_has_data_of_its_own() -> None:
    members = cast([f"writers-{number}" for number in range(20)])
    assert len(members) == 20
    assert [member.group for member in members] == list(range(20))
    assert [member.role for member in members[:16]] == [Role.HONEST] * 16
    assert [member.role for member in members[16:]] == [Role.VANISHING, Role.REPLAYER, Role.POISONER, Role.FORGER]


def test_with_few_groups_all_of_them_are_honest_and_the_adversaries_come_in_addition() -> None:
    members = cast(["cleveland", "hungary", "switzerland", "va"])
    assert [member.name for member in members] == ["cleveland", "hungary", "switzerland", "va", "poisoner", "forger"]
    assert {member.role for member in members if member.group < 2 and member.name in ("cleveland", "hungary")} == {
        Role.HONEST
    }
    assert all(0 <= member.group < 4 for member in members)


def test_the_forger_alone_has_a_victim_and_does_not_enrol() -> None:
    members = cast([f"writers-{number}" for number in range(20)])
    (forger,) = [member for member in members if not member.enrols]
    assert forger.role is Role.FORGER
    assert forger.victim == "writers-0"
    assert [member for member in members if member.victim] == [forger]
    assert sum(member.counts for member in members) == 18


def test_members_survive_the_way_to_another_process() -> None:
    members = cast(["a", "b", "c"])
    assert load(dump(members)) == members


def test_two_groups_are_too_few() -> None:
    with pytest.raises(ValueError, match="three groups"):
        cast(["a", "b"])
