"""The page of a task's training: whatever participants call their devices."""

import pytest

from governance.training_account import DeviceCost, GroupShare, TrainingAccount
from pipelines.replay.training_page import page


def an_account(names):
    devices = [
        DeviceCost(
            device=name,
            precision="float32",
            participants=1,
            updates=1,
            examples_per_second=10.0,
            speed_up=1.0,
            processor_seconds=1.0,
            joules=0.0,
            bytes_sent=1.0,
        )
        for name in names
    ]
    shares = {"invitations": 1, "met": 1.0, "included": 1.0, "late": 0.0}
    groups = [GroupShare(group=name, participants=1, uninvited=0, **shares) for name in names]
    return TrainingAccount(devices=tuple(devices), groups=tuple(groups), jain_index=1.0, silent=0)


@pytest.mark.parametrize("name", ["$\\frac$", "$x^{$", "a$b$c", "<script>alert(1)</script>", "</text><b>", "&lt;"])
def test_no_name_breaks_the_page_or_gets_into_it_as_code(name):
    text = page("task", an_account([name]))
    assert "<script>" not in text
    assert "<b>" not in text


def test_no_number_of_names_makes_it_huge():
    assert len(page("<i>", an_account([f"device {number}" for number in range(500)]))) < 500_000
