"""What a broker is asked for when shares are set; that it keeps to them, tests/system/test_secure_broker.py sees."""

from types import SimpleNamespace
from typing import Any

import pytest

from deploy.security import quotas
from deploy.security.errors import AccessError
from deploy.security.quotas import PARTICIPANT, UNBOUNDED, Quota, default_quota, set_quotas
from fluvial.identity.brokers import Brokers

BROKERS = Brokers(bootstrap_servers="nowhere:1")


class Broker:
    """Stands in for the broker: keeps what it is asked, and gives one answer."""

    def __init__(self, answer: SimpleNamespace) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def ask(self, admin: Brokers, request: Any) -> SimpleNamespace:
        assert admin == BROKERS
        self.asked.append(request)
        return self.answer


def broker(monkeypatch: pytest.MonkeyPatch, **answer: object) -> Broker:
    found = Broker(SimpleNamespace(**answer))
    monkeypatch.setattr(quotas, "_ask", found.ask)
    return found


def test_everybody_who_is_not_named_has_a_share_of_his_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = broker(monkeypatch, entries=[]).asked
    set_quotas(BROKERS, PARTICIPANT, {"jobs": UNBOUNDED})
    (request,) = asked
    found = {
        entity: {name: value for name, value, removed in changes if not removed}
        for (entity,), changes in request.entries
    }
    assert found == {("user", None): PARTICIPANT._asdict(), ("user", "jobs"): UNBOUNDED._asdict()}


def test_nobody_takes_the_broker_by_himself() -> None:
    assert all(value < least for value, least in zip(PARTICIPANT, UNBOUNDED, strict=True))


def test_a_refusal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = SimpleNamespace(error_code=31, error_message="not allowed", entity="user")
    broker(monkeypatch, entries=[refused])
    with pytest.raises(AccessError, match="not allowed"):
        set_quotas(BROKERS, PARTICIPANT, {})


def test_what_is_not_bounded_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    rate = SimpleNamespace(key="producer_byte_rate", value=7.0)
    broker(monkeypatch, error_code=0, error_message=None, entries=[SimpleNamespace(values=[rate])])
    assert default_quota(BROKERS) == Quota(7.0, UNBOUNDED.consumer_byte_rate, UNBOUNDED.request_percentage)
    broker(monkeypatch, error_code=0, error_message=None, entries=[])
    assert default_quota(BROKERS) is None
