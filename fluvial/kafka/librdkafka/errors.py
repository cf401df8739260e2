"""What librdkafka's errors mean to a caller."""

from typing import Any

from confluent_kafka import KafkaError

from fluvial.kafka.errors import TransportFailed, TransportUnavailable


def translate(error: Any, topic: str) -> TransportFailed | TransportUnavailable:
    """librdkafka heals connections by itself: its own codes (negative) for an absent broker are a matter of waiting."""
    text = f"{topic}: {error.str()}"
    waiting = (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._MSG_TIMED_OUT)
    if error.retriable() or error.code() in (*waiting, KafkaError._RESOLVE, KafkaError.LEADER_NOT_AVAILABLE):
        return TransportUnavailable(text)
    return TransportFailed(text)
