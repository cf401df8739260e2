"""The choice of the client."""

from importlib.util import find_spec

from fluvial.identity.brokers import Brokers
from fluvial.kafka.interface import Transport


def connect(brokers: Brokers, client_id: str) -> Transport:
    """The fastest installed client. client_id: name that the broker's logs show. Connects at first use."""
    if find_spec("confluent_kafka") is not None:
        from fluvial.kafka.librdkafka.transport import LibrdkafkaTransport

        return LibrdkafkaTransport(brokers, client_id)
    from fluvial.kafka.kafka_python.transport import KafkaPythonTransport

    return KafkaPythonTransport(brokers, client_id)
