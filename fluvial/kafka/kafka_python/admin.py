"""The administrator's client of kafka-python, for requests that librdkafka does not know."""

from typing import Any

import kafka

from fluvial.identity.brokers import Brokers


def admin(brokers: Brokers, client_id: str) -> Any:
    """A `kafka.KafkaAdminClient`; it takes fewer settings than the others. Raises KafkaError, OSError."""
    settings = brokers.kafka_python(client_id)
    known = kafka.KafkaAdminClient.DEFAULT_CONFIG
    return kafka.KafkaAdminClient(**{name: value for name, value in settings.items() if name in known})
