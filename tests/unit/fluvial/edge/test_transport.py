import pytest

from fluvial.edge import transport
from fluvial.edge.confluent import ConfluentTransport
from fluvial.edge.kafka_python import KafkaPythonTransport
from fluvial.edge.transport import connect
from tests.unit.fluvial.edge.memory_transport import MemoryTransport
from tests.unit.fluvial.edge.transport_suite import TransportSuite
from tests.unit.fluvial.edge.world import a_federation


class TestMemoryTransport(TransportSuite):
    """The fake keeps to what the real ones promise."""

    @pytest.fixture
    def topic(self) -> str:
        return "topic"

    @pytest.fixture
    def transport(self, topic: str) -> MemoryTransport:
        return MemoryTransport({topic: 3})


def test_confluent_is_chosen_where_it_is_installed() -> None:
    assert isinstance(connect(a_federation("127.0.0.1:1"), "test"), ConfluentTransport)


def test_kafka_python_is_chosen_where_confluent_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "find_spec", lambda name: None)
    assert isinstance(connect(a_federation("127.0.0.1:1"), "test"), KafkaPythonTransport)
