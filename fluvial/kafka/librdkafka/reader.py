"""Reading a topic forwards."""

import time
from collections.abc import Mapping
from operator import methodcaller
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from fluvial.kafka.backend import MAX_HEADERS, first_offsets
from fluvial.kafka.errors import TransportFailed
from fluvial.kafka.interface import Beginning, Bounds, Message, Until
from fluvial.kafka.librdkafka import clients
from fluvial.kafka.librdkafka.errors import Troubles, translate

CALL_SECONDS = 15.0
"""Longest wait for an answer."""

_NO_LEADER_YET = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.OFFSET_NOT_AVAILABLE,
)
"""What a broker says of a partition while a topic is made or a broker starts."""
_ASK_AGAIN_SECONDS = 0.1
_ASK_SECONDS = 2.0
_BATCH = 1_000
_headers = methodcaller("headers")
"""Not `record.headers()`: CPython calls a method that is called often past the check of its result, and then the list
has a hole in the place of such a name, and ends the process."""


class LibrdkafkaReader:
    """See `fluvial.kafka.backend.BackendReader`; the arguments are those of `Transport.read`."""

    def __init__(
        self,
        consumer: Any,
        troubles: Troubles,
        topic: str,
        start: Beginning,
        until: Until | None,
    ) -> None:
        self._consumer = consumer
        self._troubles = troubles
        self._topic = topic
        self._is_bounded = until is not None
        held: Mapping[int, Bounds] = {}
        if isinstance(until, Mapping) and isinstance(start, Mapping):
            if any(offset < until.get(number, 0) for number, offset in start.items()):
                clients.meet(consumer, topic)
        else:
            held = bounds(consumer, topic, troubles)
        self._ends = dict(until) if isinstance(until, Mapping) else {number: end for number, (_, end) in held.items()}
        starts = first_offsets(start, held, lambda at_ms: offsets_at(consumer, topic, at_ms, held))
        self._behind = {number for number, offset in starts.items() if offset < self._ends.get(number, 0)}
        self._reads = set(self._behind if self._is_bounded else starts)
        self._positions = {number: starts[number] for number in sorted(self._reads)}
        consumer.assign([TopicPartition(topic, number, offset) for number, offset in self._positions.items()])

    def poll(self, timeout: float) -> list[Message]:
        if not self._reads:
            return []
        messages = []
        self._troubles.check()
        for record in arrived(self._consumer, timeout):
            number, error = record.partition(), record.error()
            if error is None:
                offset = record.offset()
                if self._take(number, offset):
                    messages.append(_message(record, number, offset))
                    self._positions[number] = offset + 1
            elif error.code() == KafkaError._PARTITION_EOF:
                # Perhaps not ours: a broker that has just begun to lead does not know yet how far the others are.
                if record.offset() >= self._ends.get(number, 0):
                    self._reached(number)
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                raise TransportFailed(f"{self._topic}: retention removed records that were to be read: {error.str()}")
            elif isinstance(failure := translate(error, self._topic, self._troubles), TransportFailed):
                raise failure
        if self._behind:
            self._look_behind_the_last()
        return messages

    def caught_up(self) -> bool:
        return not self._behind

    def ends(self) -> Mapping[int, int]:
        return self._ends

    def positions(self) -> Mapping[int, int]:
        return {number: offset for number, offset in self._positions.items() if number in self._reads}

    def close(self) -> None:
        self._consumer.close()

    def _take(self, number: int, offset: int) -> bool:
        """Whether the record is to be returned; those of partitions already finished may still be queued."""
        wanted = number in self._reads and not (self._is_bounded and offset >= self._ends[number])
        if offset + 1 >= self._ends.get(number, 0):
            self._reached(number)
        return wanted

    def _look_behind_the_last(self) -> None:
        """The markers of transactions, which nobody is given, may lie between the last record and the end. Who has
        passed them need not wait until the broker, to which nothing comes, says that this is the end."""
        for at in self._consumer.position([TopicPartition(self._topic, number) for number in self._behind]):
            if at.offset >= self._ends[at.partition]:
                self._reached(at.partition)

    def _reached(self, number: int) -> None:
        self._behind.discard(number)
        if self._is_bounded and number in self._reads:
            self._reads.discard(number)
            self._consumer.incremental_unassign([TopicPartition(self._topic, number)])


def bounds(consumer: Any, topic: str, troubles: Troubles) -> dict[int, Bounds]:
    """What each partition holds, for a consumer that reads committed records.

    Raises TransportFailed, TransportUnavailable, KafkaException.
    """
    places = [TopicPartition(topic, number) for number in partitions(consumer, topic, troubles)]
    return {place.partition: _held(consumer, place) for place in places}


def offsets_at(consumer: Any, topic: str, timestamp_ms: int, held: Mapping[int, Bounds]) -> dict[int, int]:
    """By partition the first offset of that broker time or later. Raises KafkaException."""
    found = consumer.offsets_for_times([TopicPartition(topic, number, timestamp_ms) for number in held], CALL_SECONDS)
    # Where no record is as new as that, the end, taken before: what has arrived meanwhile is not missed.
    return {at.partition: held[at.partition].end if at.offset < 0 else at.offset for at in found}


def _held(consumer: Any, place: TopicPartition) -> Bounds:
    deadline = time.monotonic() + CALL_SECONDS
    while True:
        try:
            return Bounds(*consumer.get_watermark_offsets(place, CALL_SECONDS))
        except KafkaException as error:
            if error.args[0].code() not in _NO_LEADER_YET or time.monotonic() > deadline:
                raise
            time.sleep(_ASK_AGAIN_SECONDS)


def partitions(client: Any, topic: str, troubles: Troubles) -> list[int]:
    """Numbers of a topic's partitions. Raises TransportFailed, TransportUnavailable."""
    metadata = _metadata(client, topic, troubles)
    if metadata.error is not None:
        raise translate(metadata.error, topic, troubles)
    return sorted(metadata.partitions)


def _metadata(client: Any, topic: str, troubles: Troubles) -> Any:
    """Asks again and again for a while: only in between does the client say that the broker refuses it."""
    deadline = time.monotonic() + CALL_SECONDS
    while True:
        try:
            return client.list_topics(topic, _ASK_SECONDS).topics[topic]
        except KafkaException as error:
            client.poll(0)
            failure = translate(error.args[0], topic, troubles)
            if isinstance(failure, TransportFailed) or time.monotonic() > deadline:
                raise failure from error


def arrived(consumer: Any, timeout: float) -> list[Any]:
    """As soon as there is a record, it and those behind it; `consume` alone would wait for a full batch."""
    first = consumer.poll(timeout)
    return [] if first is None else [first, *consumer.consume(_BATCH, 0)]


def headers_of(record: Any) -> list[tuple[str, bytes | None]]:
    """None of a record one of whose headers has a name that is no UTF-8, which a broker takes from whoever may write to
    the topic: the library raises SystemError for it. None either of one with very many, which take 25 times their
    bytes in memory. No record of ours is such, and a copy that is one proves nothing."""
    try:
        headers = _headers(record) or []
    except (SystemError, UnicodeError):
        return []
    return headers if len(headers) <= MAX_HEADERS else []


def _message(record: Any, partition: int, offset: int) -> Message:
    headers = headers_of(record)
    return Message(
        record.topic(),
        partition,
        offset,
        record.timestamp()[1],
        record.key(),
        record.value(),
        tuple([(name, value or b"") for name, value in headers]),
    )
