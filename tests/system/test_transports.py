"""Both real transports against a real broker: the suite that the fake of the unit tests passes as well."""

import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from fluvial.edge.confluent import ConfluentTransport
from fluvial.edge.kafka_python import KafkaPythonTransport
from fluvial.edge.transport import Transport
from fluvial.wire.errors import ChunkUnavailable
from tests.unit.fluvial.edge.transport_suite import TransportSuite
from tests.unit.fluvial.edge.world import a_federation

pytestmark = pytest.mark.system


class TestTransports(TransportSuite):
    """Runs the suite over each implementation."""

    @pytest.fixture
    def topic(self, broker) -> str:
        name = f"transport-{uuid.uuid4().hex[:8]}"
        config = {"max.message.bytes": str(2 << 20), "message.timestamp.type": "LogAppendTime"}
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
        admin.create_topics([NewTopic(name, 3, 1, config=config)])[name].result(30)
        return name

    def test_a_record_that_retention_removed_is_reported_at_once(self, transport, topic, broker) -> None:
        for n in range(5):
            transport.produce(topic, b"%d" % n, key=b"k", partition=0).result(30)
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
        end = TopicPartition(topic, 0, 3)
        admin.delete_records([end])[end].result(30)
        assert transport.fetch(topic, [(0, 4)]) == [b"4"]
        with pytest.raises(ChunkUnavailable):
            transport.fetch(topic, [(0, 1)], timeout=20)

    @pytest.fixture(params=[KafkaPythonTransport, ConfluentTransport], ids=["kafka-python", "confluent"])
    def transport(self, request, broker) -> Iterator[Transport]:
        transport = request.param(a_federation(broker.bootstrap_servers), "test")
        yield transport
        transport.close()
