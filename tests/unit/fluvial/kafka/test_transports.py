import pytest

from fluvial.identity.brokers import Brokers
from fluvial.kafka import connect, connection
from fluvial.kafka.kafka_python.transport import KafkaPythonTransport
from fluvial.kafka.librdkafka.transport import LibrdkafkaTransport
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport
from tests.unit.fluvial.kafka.transport_suite import TransportSuite

NOBODY = Brokers(bootstrap_servers="127.0.0.1:1")


class TestMemoryTransport(TransportSuite):
    """The fake keeps to what the real ones promise."""

    @pytest.fixture
    def topic(self) -> str:
        return "topic"

    @pytest.fixture
    def transport(self, topic: str) -> MemoryTransport:
        return MemoryTransport({topic: 3})


def test_confluent_is_chosen_where_it_is_installed() -> None:
    assert isinstance(connect(NOBODY, "test"), LibrdkafkaTransport)


def test_kafka_python_is_chosen_where_confluent_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "find_spec", lambda name: None)
    assert isinstance(connect(NOBODY, "test"), KafkaPythonTransport)
