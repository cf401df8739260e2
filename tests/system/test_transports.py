"""Both real transports against a real broker: the suite that the fake of the unit tests passes as well."""

import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from fluvial.kafka import Transport, read_all, read_to_end
from fluvial.kafka.connection import kafka_python, librdkafka
from fluvial.wire.errors import ChunkUnavailable
from tests.unit.fluvial.kafka.transport_suite import TransportSuite

pytestmark = pytest.mark.system


class TestTransports(TransportSuite):
    """Runs the suite over each implementation."""

    @pytest.fixture
    def topic(self, broker) -> str:
        name = f"transport-{uuid.uuid4().hex[:8]}"
        config = {"max.message.bytes": str(2 << 20), "message.timestamp.type": "LogAppendTime"}
        admin = AdminClient(broker.brokers.librdkafka())
        admin.create_topics([NewTopic(name, 3, 1, config=config)])[name].result(30)
        return name

    def test_a_record_that_retention_removed_is_reported_at_once(self, transport, topic, broker) -> None:
        for n in range(5):
            transport.produce(topic, b"%d" % n, key=b"k", partition=0).result(30)
        admin = AdminClient(broker.brokers.librdkafka())
        end = TopicPartition(topic, 0, 3)
        admin.delete_records([end])[end].result(30)
        assert transport.fetch(topic, [(0, 4)]) == [b"4"]
        with pytest.raises(ChunkUnavailable):
            transport.fetch(topic, [(0, 1)], timeout=20)

    def test_only_what_was_committed_is_read(self, transport, topic, broker) -> None:
        """committed | aborted | control records: the reader ends although the last offsets hold no record."""
        producer = Producer({**broker.brokers.librdkafka(), "transactional.id": topic})
        producer.init_transactions(30)
        for value, finish in ((b"committed", producer.commit_transaction), (b"aborted", producer.abort_transaction)):
            producer.begin_transaction()
            producer.produce(topic, value, b"k", partition=0)
            producer.flush(30)
            finish(30)
        reader = transport.read(topic)
        try:
            assert [m.value for m in read_to_end(reader, 30)] == [b"committed"]
        finally:
            reader.close()
        assert [m.value for m in read_all(transport, topic, 30)] == [b"committed"]

    @pytest.fixture(params=[kafka_python, librdkafka])
    def transport(self, request, broker) -> Iterator[Transport]:
        transport = request.param(broker.brokers, "test")
        yield transport
        transport.close()
