"""Giving up offsets that a partition has lost, so that new records do not take the places of those that were judged."""

from __future__ import annotations

from contextlib import closing
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from deploy.broker.topics import SECONDS, admin_client
from deploy.machine.errors import StackError
from fluvial.identity.brokers import Brokers
from fluvial.kafka.librdkafka import clients
from pipelines.flink.log_reader import bounds

_MOST_GIVEN_UP = 10_000_000
_FLUSH_SECONDS = 60.0
_FILLER_KEY = b"given up"


class Lost(NamedTuple):
    """Of a partition: the first offset that it holds, the end of what was written, and where the next is to lie."""

    place: TopicPartition
    first: int
    written: int
    wanted: int


def look(brokers: Brokers, topic: str, partition: int, offset: int) -> Lost:
    """What would be given up. brokers: as an administrator. Raises StackError where nothing before `offset` is
    lost, and LogUnreadable."""
    place, held = TopicPartition(topic, partition), bounds(brokers, topic).get(partition)
    if held is None:
        raise StackError(f"{topic}/{partition}: there is no such partition")
    first, written = held.first, held.written
    # Written up to there by us alone, if what had begun was not brought to its end.
    if written >= offset and not (first < offset and _is_filler(brokers, place, offset - 1)):
        raise StackError(f"{topic}/{partition} was written up to offset {written}: nothing is lost before {offset}")
    if offset - written > _MOST_GIVEN_UP:
        raise StackError(f"{topic}/{partition} lacks {offset - written} offsets, too many: begin a new federation")
    return Lost(place, first, written, offset)


def advance(brokers: Brokers, lost: Lost) -> None:
    """Have what is written next into the partition lie where it is wanted, and nothing before: offsets that were lost
    are given up, and with them all that the partition still holds, as if retention had taken it. Kafka has no way to
    leave out offsets in the midst. May be said again. brokers: as an administrator.

    Raises StackError.
    """
    admin, place = admin_client(brokers), lost.place
    _fill(brokers, place, max(0, lost.wanted - lost.written))
    try:
        until = TopicPartition(place.topic, place.partition, lost.wanted)
        admin.delete_records([until], request_timeout=SECONDS)[place].result()
    except KafkaException as error:
        raise StackError(f"{place.topic}/{place.partition}: {error.args[0].str()}") from error


def _is_filler(brokers: Brokers, place: TopicPartition, offset: int) -> bool:
    """Whether the record there is one of ours."""
    settings = {"isolation.level": "read_uncommitted"}
    with closing(clients.consumer(brokers, "fluvial-admin", settings)) as consumer:
        consumer.assign([TopicPartition(place.topic, place.partition, offset)])
        record = consumer.poll(SECONDS)
        return record is not None and not record.error() and record.offset() == offset and record.key() == _FILLER_KEY


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
                producer.produce(place.topic, b"", _FILLER_KEY, partition=place.partition, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    if producer.flush(_FLUSH_SECONDS) or failed:
        why = failed[0] if failed else "the broker does not answer"
        raise StackError(f"{place.topic}/{place.partition}: not all was written ({why}); say it again")
