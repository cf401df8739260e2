"""Reading a topic forwards."""

import time
from collections.abc import Mapping
from typing import Any

from kafka import TopicPartition, errors

from fluvial.kafka.backend import MAX_HEADERS, first_offsets
from fluvial.kafka.errors import ConnectionLost, TransportFailed
from fluvial.kafka.interface import Beginning, Bounds, Message, Until
from fluvial.kafka.kafka_python.errors import translate

_POLL_MS = 500
_UNKNOWN_TOPIC_SECONDS = 5.0


class KafkaPythonReader:
    """See `fluvial.kafka.backend.BackendReader`; the arguments are those of `Transport.read`."""

    def __init__(self, consumer: Any, topic: str, start: Beginning, until: Until | None) -> None:
        self._consumer = consumer
        self._topic = topic
        self._is_bounded = until is not None
        # The ends come first: a record that arrives while times are looked up then lies behind them and is not missed.
        held = {} if isinstance(until, Mapping) and isinstance(start, Mapping) else bounds(consumer, topic)
        self._ends = dict(until) if isinstance(until, Mapping) else {number: end for number, (_, end) in held.items()}
        starts = first_offsets(start, held, lambda at_ms: offsets_at(consumer, topic, at_ms, held))
        self._behind = {number for number, offset in starts.items() if offset < self._ends.get(number, 0)}
        self._reads = set(self._behind if self._is_bounded else starts)
        consumer.assign([TopicPartition(topic, number) for number in sorted(self._reads)])
        self._positions = {number: starts[number] for number in self._reads}
        for number, offset in self._positions.items():
            consumer.seek(TopicPartition(topic, number), offset)

    def poll(self, timeout: float) -> list[Message]:
        if not self._reads:
            return []
        try:
            batches = self._consumer.poll(timeout_ms=max(0, int(timeout * 1000)))
        except errors.KafkaError as error:
            failure = translate(error, self._topic)
            if isinstance(failure, TransportFailed | ConnectionLost):
                raise failure from error
            time.sleep(min(timeout, 0.2))
            return []
        messages = [_message(record) for records in batches.values() for record in records if self._is_wanted(record)]
        self._positions |= {message.partition: message.offset + 1 for message in messages}
        if self._is_bounded:
            self._look_at_positions()
        return messages

    def caught_up(self) -> bool:
        self._look_at_positions()
        return not self._behind

    def ends(self) -> Mapping[int, int]:
        return self._ends

    def positions(self) -> Mapping[int, int]:
        return {number: offset for number, offset in self._positions.items() if number in self._reads}

    def close(self) -> None:
        self._consumer.close(autocommit=False)

    def _is_wanted(self, record: Any) -> bool:
        number = record.partition
        return number in self._reads and not (self._is_bounded and record.offset >= self._ends[number])

    def _look_at_positions(self) -> None:
        """The consumer's position moves over the markers of transactions, which no poll returns."""
        for number in sorted(self._behind):
            partition = TopicPartition(self._topic, number)
            if (self._consumer.position(partition, timeout_ms=_POLL_MS) or 0) >= self._ends[number]:
                self._behind.discard(number)
                if self._is_bounded:
                    self._reads.discard(number)
                    self._consumer.pause(partition)


def bounds(consumer: Any, topic: str) -> dict[int, Bounds]:
    """What each partition holds, for a consumer that reads committed records. Raises TransportFailed, KafkaError."""
    places = [TopicPartition(topic, number) for number in sorted(_partitions(consumer, topic))]
    ends, firsts = consumer.end_offsets(places), consumer.beginning_offsets(places)
    return {at.partition: Bounds(firsts[at], ends[at]) for at in places}


def offsets_at(consumer: Any, topic: str, timestamp_ms: int, held: Mapping[int, Bounds]) -> dict[int, int]:
    """By partition the first offset of that broker time or later, else the end. Raises KafkaError."""
    found = consumer.offsets_for_times({TopicPartition(topic, number): timestamp_ms for number in held})
    return {
        number: held[number].end if (at := found.get(TopicPartition(topic, number))) is None else at.offset
        for number in held
    }


def _partitions(consumer: Any, topic: str) -> set[int]:
    """A topic that was created a moment ago may be unknown to the broker asked, so one look is not enough."""
    deadline = time.monotonic() + _UNKNOWN_TOPIC_SECONDS
    while not (numbers := consumer.partitions_for_topic(topic)):
        if time.monotonic() > deadline:
            raise TransportFailed(f"topic {topic} does not exist, or this client may not see it")
        time.sleep(0.2)
    return set(numbers)


def _message(record: Any) -> Message:
    few = len(record.headers or ()) <= MAX_HEADERS
    return Message(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers=tuple((name, value or b"") for name, value in record.headers or ()) if few else (),
    )
