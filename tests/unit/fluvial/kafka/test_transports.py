import pytest

from fluvial.identity.brokers import Brokers
from fluvial.kafka import connect, connection
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


def test_librdkafka_is_chosen_where_it_is_installed_and_kafka_python_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "librdkafka", lambda *_, committed: "librdkafka")
    monkeypatch.setattr(connection, "kafka_python", lambda *_, committed: "kafka-python")
    assert connect(NOBODY, "test") == "librdkafka"
    monkeypatch.setattr(connection, "find_spec", lambda name: None)
    assert connect(NOBODY, "test") == "kafka-python"
