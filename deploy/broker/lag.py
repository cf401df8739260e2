"""How far groups of readers are behind.

A group is as far as it says, and a job's source says so with a checkpoint: at once while records arrive, and up to ten
seconds later when no more come, because Flink tells the broker between two fetches. What lies behind is counted in
records: each transaction ends with a marker in every partition that it has written to, which takes an offset of its own
and is handed to nobody.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient

from deploy.broker.topics import SECONDS, end_offsets
from fluvial.identity.brokers import Brokers
from fluvial.kafka.librdkafka import clients

_COUNTED = 1_000
"""Offsets of a partition, for all of its groups, behind which records are read to be counted; more are a backlog, of
which the size is told in offsets."""

_COUNTED_BYTES = 16 << 20
"""Of records, for each group, that are read to be counted: one of a model may have four MiB."""

_QUEUED_KILOBYTES = 1024
"""Held ahead of those that are counted."""

_FETCH_MS = 5
"""How long the broker waits for a record: behind the last one stands a marker, and an empty answer tells the end."""

_CLIENT_ID = "fluvial-lag"
_POLL_SECONDS = 0.2

Place = tuple[str, int]
"""Topic and partition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLag:
    """How many records of a topic a group of readers has not said to have read."""

    group: str
    topic: str
    lag: int


def group_lags(brokers: Brokers, admin: AdminClient, prefix: str) -> list[GroupLag]:
    """The lag of each group whose name starts with `prefix`, by topic. Raises KafkaException where the broker does not
    tell how far it is."""
    groups = sorted(
        group.group_id
        for group in admin.list_consumer_groups(request_timeout=SECONDS).result().valid
        if group.group_id.startswith(prefix)
    )
    lags = []
    for group in groups:
        request = [ConsumerGroupTopicPartitions(group)]
        found = admin.list_consumer_group_offsets(request, request_timeout=SECONDS)[group].result()
        read = {(at.topic, at.partition): at.offset for at in found.topic_partitions or () if at.offset >= 0}
        ends = end_offsets(admin, [TopicPartition(*place) for place in read])
        behind = {place: max(0, ends[place] - offset) for place, offset in read.items()}
        behind |= _records(brokers, {at: read[at] for at, offsets in behind.items() if 0 < offsets <= _COUNTED}, ends)
        by_topic: Counter[str] = Counter()
        for (topic, _), records in behind.items():
            by_topic[topic] += records
        lags += [GroupLag(group=group, topic=topic, lag=lag) for topic, lag in sorted(by_topic.items())]
    return lags


def _records(brokers: Brokers, begins: Mapping[Place, int], ends: Mapping[Place, int]) -> dict[Place, int]:
    """How many committed records lie from these offsets on before the ends; of those places alone that could be read
    to there in the time and the bytes that there are."""
    if not begins:
        return {}
    found, num_bytes = dict.fromkeys(begins, 0), 0
    settings = {
        "isolation.level": "read_committed",
        "fetch.wait.max.ms": _FETCH_MS,
        "auto.offset.reset": "earliest",
        "queued.max.messages.kbytes": _QUEUED_KILOBYTES,
    }
    with closing(clients.consumer(brokers, _CLIENT_ID, settings)) as consumer:
        for topic in {topic for topic, _ in begins}:
            clients.meet(consumer, topic)
        consumer.assign([TopicPartition(topic, number, begin) for (topic, number), begin in begins.items()])
        unread, deadline = set(begins), time.monotonic() + SECONDS
        while unread and num_bytes < _COUNTED_BYTES and time.monotonic() < deadline:
            record = consumer.poll(_POLL_SECONDS)
            if record is None:
                continue
            error, place = record.error(), (record.topic(), record.partition())
            if error is None:
                num_bytes += len(record)
                found[place] += record.offset() < ends[place]
                if record.offset() + 1 >= ends[place]:
                    unread.discard(place)
            elif error.code() == KafkaError._PARTITION_EOF:
                unread.discard(place)
            else:
                break
    return {place: records for place, records in found.items() if place not in unread}
