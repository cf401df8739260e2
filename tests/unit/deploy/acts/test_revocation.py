"""A revocation stands in the registry and is told to the audit log, as a stage would tell it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.acts import revocation
from deploy.bench.seeding import register
from deploy.federation import federation_ids
from deploy.federation.directory import DataDirectory
from deploy.federation.keys import ServiceKeys
from fluvial.auditor.verify import verify
from fluvial.identity.brokers import Brokers
from fluvial.identity.keys import SigningKey
from fluvial.kafka import TransportUnavailable
from fluvial.registry.reading import read_registry
from fluvial.transparency.event import read_event
from fluvial.wire.framing import decode
from fluvial.wire.records import AuditEvent, Participant, ParticipantStatus
from governance.audit.events import participant_event
from pipelines.flink.frames import SourceRecord
from pipelines.flink.stage_mac import StageMac
from tests.unit.fluvial.auditor.world import honest_world
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport


class Broker:
    """Stands in for librdkafka's producer. away: it acknowledges nothing."""

    away = False
    written: list[tuple[str, bytes, bytes, list[tuple[str, bytes]]]]

    def __init__(self) -> None:
        self.written = []

    def __call__(self, brokers: Brokers, client_id: str) -> Broker:
        return self

    def produce(self, topic: str, value: bytes, key: bytes, headers: Any, on_delivery: Any) -> None:
        self.written.append((topic, value, key, headers))

    def flush(self, seconds: float) -> int:
        return int(self.away)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr(revocation.clients, "producer", broker)
    return broker


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[DataDirectory, MemoryTransport]:
    directory = DataDirectory(tmp_path / "data")
    directory.make()
    keys = ServiceKeys.load_or_make(directory.keys)
    own = federation_ids.begin(directory.keys, "x.")
    brokers = Brokers(bootstrap_servers="none:1")
    federation = keys.federation(brokers, topic_prefix="x.", partitions=1, federation_id=own)
    federation.save(directory.federation_file)
    transport = MemoryTransport({federation.topics.registry: 1})
    register(transport, federation.topics, keys, {"anna": SigningKey.generate()})
    monkeypatch.setattr(revocation, "connect", lambda *_: transport)
    return directory, transport


def test_the_log_is_told_what_the_registry_has(stack: tuple[DataDirectory, MemoryTransport], broker: Broker) -> None:
    directory, transport = stack
    revocation.revoke(directory, "anna")
    found = read_registry(transport, directory.federation()).participant("anna")
    assert found is not None
    assert found.status is ParticipantStatus.REVOKED
    ((topic, value, key, headers),) = broker.written
    assert read_event(decode(value, AuditEvent)) == found
    record = SourceRecord(0, 0, 1 << 50, key, value, tuple(headers))
    assert StageMac.load(directory.keys).proves(topic, record)


def test_a_log_that_was_not_told_is_no_silent_success(
    stack: tuple[DataDirectory, MemoryTransport], broker: Broker
) -> None:
    broker.away = True
    with pytest.raises(TransportUnavailable, match="anna is revoked, but the audit log was not told"):
        revocation.revoke(stack[0], "anna")


def test_a_log_with_the_leaf_of_a_revocation_verifies() -> None:
    world = honest_world()
    world.enrol("anna", status=ParticipantStatus.REVOKED, signed_by="operator", version=1)
    sealed = world.kept[world.topics.registry][-1].value or b""
    world.events.append(participant_event(sealed, world.now_ms))
    world.sequence()
    world.sign()
    report = verify(world, world.federation, now_ms=world.now_ms)
    assert report.verified, report.problems
    assert isinstance(read_event(participant_event(sealed, 1)), Participant)
