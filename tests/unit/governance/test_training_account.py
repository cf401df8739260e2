"""What training costs whom, and whom rounds leave behind."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluvial.wire.records import Outcome, TrainingReport
from governance.training_account import Opened, account, jain_index
from tests.unit.governance.admission.builders import an_update

TOLD = TrainingReport(
    device_class="AVX2",
    precision="float32",
    epochs=2,
    seconds=1.0,
    processor_seconds=0.5,
    joules=0.0,
    bytes_sent=100,
)
GROUPS = {"anna": "phone", "ben": "phone", "carl": "server"}


def an_answer(name, round_, weight=100, **changes):
    told = () if changes.get("silent") else (replace(TOLD, **changes),)
    return replace(an_update(), participant=name, round=round_, weight=weight, trained=told)


def test_speed_and_cost_are_told_by_class_of_devices():
    updates = [
        an_answer("anna", 1, seconds=2.0),
        an_answer("ben", 1, seconds=4.0),
        an_answer("carl", 1, device_class="AMX", seconds=0.5, joules=3.0),
        an_answer("carl", 2, silent=True),
    ]
    found = account(groups=GROUPS, opened=[], accepted=updates, receipts={})
    fast, slow = found.devices
    assert (fast.device, slow.device, found.silent) == ("AMX", "AVX2", 1)
    assert slow.examples_per_second == pytest.approx((100 + 50) / 2)
    assert (slow.speed_up, slow.participants, slow.updates) == (1.0, 2, 2)
    assert fast.speed_up == pytest.approx(400 / 75)
    assert slow.processor_seconds == pytest.approx(2.5)  # half a second for 200 examples
    assert fast.joules == pytest.approx(15.0)


def test_shares_are_of_invitations_and_of_accepted_updates():
    opened = [
        Opened(round=1, attempt=1, invited=frozenset(GROUPS)),
        Opened(round=1, attempt=2, invited=frozenset({"anna", "stranger"})),
        Opened(round=2, attempt=1, invited=frozenset({"anna", "carl"})),
    ]
    updates = [an_answer("anna", 1), an_answer("carl", 1), an_answer("carl", 2)]
    receipts = {("anna", 1): Outcome.LATE, ("carl", 1): Outcome.INCLUDED, ("carl", 2): Outcome.INCLUDED}
    found = account(groups=GROUPS, opened=opened, accepted=updates, receipts=receipts)
    phone, server = found.groups
    assert (phone.group, phone.participants, phone.invitations) == ("phone", 2, 3)
    assert phone.met == pytest.approx(1 / 3)
    assert (phone.included, phone.late, server.met, server.included, server.late) == (0.0, 1.0, 1.0, 1.0, 0.0)
    assert (phone.uninvited, server.uninvited) == (0, 0)
    assert found.jain_index == pytest.approx(1 / 3)


def test_whom_no_round_has_drawn_is_told_and_who_answered_was_invited():
    opened = [Opened(round=1, attempt=1, invited=frozenset({"anna"}))]
    found = account(groups=GROUPS, opened=opened, accepted=[an_answer("carl", 1)], receipts={})
    assert [(share.group, share.uninvited, share.invitations, share.met) for share in found.groups] == [
        ("phone", 1, 1, 0.0),
        ("server", 0, 1, 1.0),
    ]


def test_nothing_gives_an_account_of_nothing():
    found = account(groups={}, opened=[], accepted=[], receipts={})
    assert (found.devices, found.groups, found.jain_index, found.silent) == ((), (), 1.0, 0)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20))
def test_jains_index_is_between_one_nth_and_one(amounts):
    assert 1 / len(amounts) - 1e-9 <= jain_index(amounts) <= 1 + 1e-9


@given(st.integers(1, 20), st.floats(0.5, 1e6))
def test_jains_index_is_one_for_equals_and_one_nth_where_one_has_all(count, amount):
    assert jain_index([amount] * count) == pytest.approx(1.0)
    assert jain_index([amount] + [0.0] * (count - 1)) == pytest.approx(1 / count)


@pytest.mark.parametrize(
    "lie",
    [
        {"device_class": "x" * 65},
        {"device_class": ""},
        {"precision": "a\nb"},
        {"epochs": 0},
        {"epochs": -5},
        {"seconds": 0.0},
        {"seconds": float("nan")},
        {"seconds": 1e-300},
        {"processor_seconds": float("inf")},
        {"processor_seconds": -1.0},
        {"joules": 1e308},
        {"bytes_sent": -1},
    ],
)
def test_a_claim_that_cannot_be_is_none(lie):
    honest = an_answer("anna", 1)
    found = account(groups=GROUPS, opened=[], accepted=[honest, an_answer("ben", 1, **lie)], receipts={})
    assert [(one.device, one.updates) for one in found.devices] == [("AVX2", 1)]
    assert found.silent == 1
