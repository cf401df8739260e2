"""Creating the topics of a federation, and looking at how far they are."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from deploy.machine.errors import StackError
from fluvial.identity.brokers import Brokers
from fluvial.kafka.librdkafka import clients
from fluvial.wire.topics import TopicSettings

SECONDS = 15.0
"""Longest wait for an answer."""

_LEADERS_SECONDS = 60.0
_LOOK_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicStatus:
    """end_offsets: one for each partition. They count control records and what compaction removed, too."""

    name: str
    end_offsets: tuple[int, ...]


def admin_client(brokers: Brokers) -> AdminClient:
    return clients.admin(brokers, "fluvial-admin")


def topic_exists(brokers: Brokers, name: str) -> bool:
    """Whether the brokers have this topic. Raises KafkaException when they do not answer."""
    return name in admin_client(brokers).list_topics(timeout=SECONDS).topics


def create_topics(brokers: Brokers, settings: Iterable[TopicSettings]) -> None:
    """Create the topics that are not there, and give those that are the present configuration.

    Raises StackError if the broker refuses, or one has other partitions.
    """
    admin = admin_client(brokers)
    wanted = {topic.name: topic for topic in settings}
    futures = admin.create_topics(
        [
            NewTopic(topic.name, topic.partitions, topic.replication_factor, config=topic.config)
            for topic in wanted.values()
        ],
        operation_timeout=SECONDS,
    )
    found = []
    for name, future in futures.items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise StackError(f"the topic {name} cannot be created: {error.args[0].str()}") from error
            found.append(wanted[name])
    _configure(admin, found)
    existing = admin.list_topics(timeout=SECONDS).topics
    for name, topic in wanted.items():
        if name in existing and len(existing[name].partitions) != topic.partitions:
            raise StackError(
                f"the topic {name} has {len(existing[name].partitions)} partitions, not {topic.partitions}: "
                "their number cannot change once there is data; use another data directory"
            )
    _wait_until_led(
        brokers, [TopicPartition(topic.name, number) for topic in wanted.values() for number in range(topic.partitions)]
    )


def topic_statuses(admin: AdminClient, names: Sequence[str]) -> list[TopicStatus]:
    """End offsets of these topics, those that do not exist left out."""
    existing = admin.list_topics(timeout=SECONDS).topics
    partitions = [
        TopicPartition(name, partition) for name in names if name in existing for partition in existing[name].partitions
    ]
    ends = end_offsets(admin, partitions)
    return [
        TopicStatus(
            name=name,
            end_offsets=tuple(ends[name, partition] for partition in sorted(existing[name].partitions)),
        )
        for name in names
        if name in existing
    ]


def _configure(admin: AdminClient, topics: Sequence[TopicSettings]) -> None:
    """Set what a topic of an earlier version lacks, and leave alone what the operator has set besides."""
    if not topics:
        return
    resources = [
        ConfigResource(
            ResourceType.TOPIC,
            topic.name,
            incremental_configs=[
                ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
                for name, value in topic.config.items()
            ],
        )
        for topic in topics
    ]
    for resource, future in admin.incremental_alter_configs(resources, request_timeout=SECONDS).items():
        try:
            future.result()
        except KafkaException as error:
            raise StackError(f"the topic {resource.name} cannot be configured: {error.args[0].str()}") from error


def _wait_until_led(brokers: Brokers, partitions: Sequence[TopicPartition]) -> None:
    """The broker acknowledges a topic before it leads its partitions; the first client would be refused."""
    deadline = time.monotonic() + _LEADERS_SECONDS
    while True:
        try:
            # A client of its own for each look: one that has once heard of no leader waits for its next metadata.
            end_offsets(admin_client(brokers), partitions, _LOOK_SECONDS)
            return
        except KafkaException as error:
            if time.monotonic() > deadline:
                raise StackError(
                    f"the broker does not lead its topics after {_LEADERS_SECONDS:.0f} s: {error}"
                ) from error
        time.sleep(0.05)


def end_offsets(
    admin: AdminClient, partitions: Sequence[TopicPartition], timeout: float = SECONDS
) -> dict[tuple[str, int], int]:
    """By topic and partition, behind the last record that is committed. Raises KafkaException."""
    if not partitions:
        return {}
    futures = admin.list_offsets(
        {partition: OffsetSpec.latest() for partition in partitions},
        isolation_level=IsolationLevel.READ_COMMITTED,
        request_timeout=timeout,
    )
    return {(place.topic, place.partition): future.result().offset for place, future in futures.items()}
