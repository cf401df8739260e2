from collections.abc import Iterator
from pathlib import Path

import pytest

from fluvial.edge import Participant, participation
from fluvial.edge import participant as participants
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from tests.unit.fluvial.edge.world import World, a_federation, topic_partitions
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport


@pytest.fixture
def federation() -> Federation:
    return a_federation()


@pytest.fixture
def transport(federation: Federation) -> MemoryTransport:
    return MemoryTransport(topic_partitions(federation))


@pytest.fixture
def world(federation: Federation, transport: MemoryTransport) -> World:
    return World(federation, transport)


@pytest.fixture
def key() -> SigningKey:
    return SigningKey.from_seed(b"k" * 32)


@pytest.fixture
def participant(
    federation: Federation, transport: MemoryTransport, key: SigningKey, tmp_path: Path
) -> Iterator[Participant]:
    with Participant(federation, "alice", key, tmp_path / "alice.sqlite", transport) as participant:
        yield participant


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker in memory is back at once."""
    for module in (participants, participation):
        monkeypatch.setattr(module, "_RETRY_SECONDS", 0.05)
