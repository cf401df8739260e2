"""What the sink is told of the job's lease."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fluvial.identity.brokers import Brokers
from fluvial.identity.envelope import open_envelope, seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import AuditEvent, Lease, LeaseCause
from fluvial.wire.topics import Topics
from pipelines.flink import leased_sink
from pipelines.flink.frames import parse_sink
from pipelines.leases.holding import Holding
from tests.unit.pipelines.leases.builders import lease


class JavaLease:
    """In place of `org.fluvial.flink.Lease`."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.alarms: list[bytes] = []

    def tell(self, alarm: bytes) -> None:
        self.alarms.append(alarm)


def made(monkeypatch: pytest.MonkeyPatch, record: bytes) -> JavaLease:
    flink = SimpleNamespace(Lease=JavaLease)
    jvm = SimpleNamespace(org=SimpleNamespace(fluvial=SimpleNamespace(flink=flink)))
    monkeypatch.setattr(leased_sink, "get_gateway", lambda: SimpleNamespace(jvm=jvm))
    monkeypatch.setattr(leased_sink, "java_strings", list)
    monkeypatch.setattr(Brokers, "java", lambda *_: {})
    holding = Holding(epoch=7, offset=3, stages=("audit",), secret="s" * 16, taken_ms=5, record=record)
    settings: Any = SimpleNamespace(
        held=lambda: holding,
        topics=Topics("f.", "abc"),
        aggregator_key="00" * 32,
        brokers=Brokers(bootstrap_servers=""),
    )
    lease_of_java: JavaLease = leased_sink._lease(settings, "federation")
    return lease_of_java


def alarms(monkeypatch: pytest.MonkeyPatch, record: bytes) -> list[bytes]:
    return made(monkeypatch, record).alarms


def test_the_guard_knows_the_leases_of_this_federation(monkeypatch: pytest.MonkeyPatch) -> None:
    next_lease, scope = lease(8, "audit"), Topics("f.", "abc").scope
    signed = open_envelope(seal(next_lease, SigningKey.from_seed(bytes(32)), "aggregator", scope))
    assert signed.payload_type in made(monkeypatch, b"").arguments


def test_a_lease_that_was_free_is_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    assert alarms(monkeypatch, b"") == []


def test_a_lease_that_was_taken_for_a_reason_is_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = encode(lease(7, "audit", cause=LeaseCause.TRANSACTION_LOST))
    (frame,) = alarms(monkeypatch, taken)
    topic, key, value, _ = parse_sink(frame)
    assert (topic, key) == ("f.events", b"lease/7")
    event = decode(value or b"", AuditEvent)
    assert (event.type, event.time_ms) == ("org.fluvial.lease.v1", 5)
    assert decode(event.data, Lease).cause is LeaseCause.TRANSACTION_LOST
