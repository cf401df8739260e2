"""Giving up offsets that a partition has lost, so that new records do not take the places of those that were judged."""

from __future__ import annotations

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from deploy.broker.topics import SECONDS, admin_client
from deploy.machine.errors import StackError
from fluvial.identity.brokers import Brokers
from fluvial.kafka.librdkafka import clients

_MOST_GIVEN_UP = 10_000_000
_FLUSH_SECONDS = 60.0


def advance(brokers: Brokers, topic: str, partition: int, offset: int) -> int:
    """Have what is written next into a partition lie at this offset, and nothing before: offsets that were lost are
    given up, as if retention had taken them. Returns how many were. brokers: as an administrator.

    Raises StackError.
    """
    admin, place = admin_client(brokers), TopicPartition(topic, partition)
    try:
        written = _written(admin, place)
        if written >= offset:
            raise StackError(f"{topic}/{partition} was written up to offset {written}: nothing is lost before {offset}")
        if offset - written > _MOST_GIVEN_UP:
            raise StackError(f"{topic}/{partition} lacks {offset - written} offsets, too many: begin a new federation")
        _fill(brokers, place, offset - written)
        admin.delete_records([TopicPartition(topic, partition, offset)], request_timeout=SECONDS)[place].result()
    except KafkaException as error:
        raise StackError(f"{topic}/{partition}: {error.args[0].str()}") from error
    return offset - written


def _written(admin: AdminClient, place: TopicPartition) -> int:
    """The end of what is written, committed or not. Raises KafkaException."""
    asked = {place: OffsetSpec.latest()}
    found = admin.list_offsets(asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=SECONDS)
    return found[place].result().offset


def _fill(brokers: Brokers, place: TopicPartition, count: int) -> None:
    """Write so many empty records. Raises StackError."""
    failed: list[str] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error.str())

    producer = clients.producer(brokers, "fluvial-admin", {"acks": "all", "enable.idempotence": True})
    for _ in range(count):
        while True:
            try:
                producer.produce(place.topic, b"", partition=place.partition, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    if producer.flush(_FLUSH_SECONDS) or failed:
        why = failed[0] if failed else "the broker does not answer"
        raise StackError(f"{place.topic}/{place.partition}: not all was written ({why}); say it again")
