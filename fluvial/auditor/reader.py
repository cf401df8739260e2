"""What the auditor needs of a broker: the committed records of a topic, from the first one kept to the end as it was
when it started.

`fluvial.kafka.Snapshot` fixes the ends of the topics when it is made, in the order of `audited_topics`: what vouches
for a record is taken before the record itself, so that on a running system a checkpoint never seems to lack its leaves,
nor a verdict the record that it judges.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol

from fluvial.kafka.interface import Message
from fluvial.wire.topics import Topics

TopicRecord = Message
"""One committed record."""


class TopicReader(Protocol):
    """Reads whole topics."""

    def begin_offsets(self, topic: str) -> Mapping[int, int]:
        """By partition, the first offset that retention has left. Every partition of the topic is in it."""
        ...

    def records(self, topic: str, since_ms: int = 0) -> Iterator[TopicRecord]:
        """All committed records of this broker time or later, each partition in the order of its offsets (which have
        gaps). Can be called again."""
        ...


def describe(source: tuple[str, int, int]) -> str:
    """Topic, partition and offset as people write them."""
    return f"{source[0]}/{source[1]}@{source[2]}"


def audited_topics(topics: Topics) -> tuple[str, ...]:
    """The topics that the auditor reads, in the order in which their ends are to be taken."""
    return (
        topics.checkpoints,
        topics.audit,
        topics.verdicts,
        topics.receipts,
        topics.releases,
        topics.variants,
        topics.promotions,
        topics.models,
        topics.updates,
        topics.enrolments,
        topics.reports,
        topics.rounds,
        topics.registry,
    )
