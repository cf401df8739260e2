"""The choice of the client library."""

from importlib.util import find_spec

from fluvial.identity.brokers import Brokers
from fluvial.kafka.interface import Transport
from fluvial.kafka.recovering import RecoveringTransport


def connect(brokers: Brokers, client_id: str, *, committed: bool = True) -> Transport:
    """Over the fastest installed library. client_id: name that the broker's logs show. committed: False to read also
    what stands in transactions that are open or were aborted. Connects at first use."""
    library = librdkafka if find_spec("confluent_kafka") is not None else kafka_python
    return library(brokers, client_id, committed=committed)


def librdkafka(brokers: Brokers, client_id: str, *, committed: bool = True) -> Transport:
    """Over confluent-kafka, several times the throughput: `pip install fluvial[fast]`."""
    from fluvial.kafka.librdkafka.backend import LibrdkafkaBackend

    return RecoveringTransport(brokers, LibrdkafkaBackend(brokers, client_id, committed=committed))


def kafka_python(brokers: Brokers, client_id: str, *, committed: bool = True) -> Transport:
    """Over kafka-python, pure Python, always installed."""
    from fluvial.kafka.kafka_python.backend import KafkaPythonBackend

    return RecoveringTransport(brokers, KafkaPythonBackend(brokers, client_id, committed=committed))
