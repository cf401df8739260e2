"""What the sink is told of the job's lease."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fluvial.identity.brokers import Brokers
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import AuditEvent, Lease, LeaseCause
from fluvial.wire.topics import Topics
from pipelines.flink import leased_sink
from pipelines.flink.frames import parse_sink
from pipelines.leases.holding import Holding
from tests.unit.pipelines.leases.builders import lease


class JavaLease:
    """In place of `org.fluvial.flink.Lease`."""

    def __init__(self, *_: Any) -> None:
        self.alarms: list[bytes] = []

    def tell(self, alarm: bytes) -> None:
        self.alarms.append(alarm)


def alarms(monkeypatch: pytest.MonkeyPatch, record: bytes) -> list[bytes]:
    flink = SimpleNamespace(Lease=JavaLease)
    jvm = SimpleNamespace(org=SimpleNamespace(fluvial=SimpleNamespace(flink=flink)))
    monkeypatch.setattr(leased_sink, "get_gateway", lambda: SimpleNamespace(jvm=jvm))
    monkeypatch.setattr(leased_sink, "java_strings", list)
    monkeypatch.setattr(Brokers, "java", lambda *_: {})
    holding = Holding(epoch=7, offset=3, stages=("audit",), secret="s" * 16, taken_ms=5, record=record)
    settings: Any = SimpleNamespace(
        held=lambda: holding, topics=Topics("f."), aggregator_key="00" * 32, brokers=Brokers(bootstrap_servers="")
    )
    told: list[bytes] = leased_sink._lease(settings, "federation").alarms
    return told


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
