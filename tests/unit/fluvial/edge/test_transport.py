import pytest

from fluvial.edge import transport
from fluvial.edge.confluent import ConfluentTransport
from fluvial.edge.interface import sasl_password
from fluvial.edge.kafka_python import KafkaPythonTransport
from fluvial.edge.transport import connect
from fluvial.identity.federation import Security
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


def test_the_password_is_read_from_its_file(tmp_path) -> None:
    (tmp_path / "password").write_text("secret\n")
    assert sasl_password(Security(protocol="SASL_SSL", sasl_password_file=tmp_path / "password")) == "secret"
    with pytest.raises(ValueError, match="sasl_password_file"):
        sasl_password(Security(protocol="SASL_SSL"))
