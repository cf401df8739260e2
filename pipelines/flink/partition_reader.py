"""One partition of chunks, read forward.

What a reference says may be wrong: it may name the marker of a transaction, a record that is gone or never was, or one
in a batch that the client will not inflate. Each of these is `ChunkUnavailable`, and the reader goes on with the next
reference. Only a broker that does not answer is an error of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from fluvial.kafka.librdkafka import clients
from fluvial.wire.errors import ChunkUnavailable
from pipelines.flink.chunk_cache import Chunk, ChunkCache

_BATCH = 8
_JUMP_BYTES = 8 << 20
"""Bytes ahead that are still read through, which costs less than starting anew; what lies further on is gone to."""
_POLL_S = 0.5
_END_S = 0.05
"""Behind an end that was told: what was written since is there, or on its way. To ask the broker takes longer, since it
answers behind the fetch that waits for news."""

_QUERY_S = 10.0
_ASK_AGAIN_S = 1.0

_OF_THE_RECORD = frozenset(
    {
        KafkaError._AUTO_OFFSET_RESET,
        KafkaError.OFFSET_OUT_OF_RANGE,
        KafkaError._BAD_MSG,
        KafkaError._BAD_COMPRESSION,
        KafkaError._NOT_IMPLEMENTED,
        KafkaError._UNDERFLOW,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.MSG_SIZE_TOO_LARGE,
    }
)
"""Errors that concern what lies at the offset. Any other is one of a broker that is away, starts, or does not let this
client in, and says nothing of the record: while a broker restarts, the client believes that no partition exists."""


class PartitionCount:
    """How many partitions a topic has, asked of the broker where it matters and at most every second. Safe to use from
    several threads."""

    def __init__(self, consumer: Callable[[], Consumer], topic: str) -> None:
        """consumer: makes one."""
        self._new_consumer, self._topic = consumer, topic
        self._count, self._asked_s = 0, -_ASK_AGAIN_S
        self._lock = threading.Lock()

    def check(self, partition: int) -> None:
        """Raises ChunkUnavailable if the topic has no such partition, TimeoutError when the broker does not say so. A
        broker that does not know the topic at all has just started: the topic is the federation's own."""
        with self._lock:
            if partition >= self._count and time.monotonic() >= self._asked_s + _ASK_AGAIN_S:
                self._count, self._asked_s = self._ask(), time.monotonic()
            if not 0 <= partition < self._count:
                raise ChunkUnavailable(f"{self._topic}/{partition}: no such partition, there are {self._count}")

    def _ask(self) -> int:
        consumer = self._new_consumer()
        try:
            topic = consumer.list_topics(self._topic, timeout=_QUERY_S).topics[self._topic]
        except KafkaException as error:
            raise TimeoutError(f"{self._topic}: {error}") from error
        finally:
            consumer.close()
        if topic.error is not None or not topic.partitions:
            raise TimeoutError(f"{self._topic}: the broker does not know it yet ({topic.error})")
        return len(topic.partitions)


class PartitionReader:
    """One partition, for one thread at a time (`lock`). Records that lie on the way to a wanted one go to the cache."""

    def __init__(self, consumer: Callable[[], Consumer], topic: str, partition: int, cache: ChunkCache) -> None:
        """consumer: makes one."""
        self._consumer = consumer()
        self._place = f"{topic}/{partition}"
        self._topic, self._partition = topic, partition
        self._cache = cache
        self._position = -1
        self._assigned = -1
        self._has_met = False
        self._record_bytes = 1
        self._is_at_end = False
        self._pending: list[Message] = []
        self._is_resting = True
        self._read_s = 0.0
        self.lock = threading.Lock()

    def read(self, offset: int, timeout_s: float) -> Chunk:
        """The record at this offset.

        Raises ChunkUnavailable where the partition has none that can be read, TimeoutError when the broker does not
        answer in time.
        """
        try:
            return self._read(offset, timeout_s)
        finally:
            self._read_s = time.monotonic()

    def rest(self, unused_s: float) -> bool:
        """Ask the broker for nothing more until the next read, if the last one was so many seconds ago. Whether it
        does."""
        if not self.lock.acquire(blocking=False):
            return False
        try:
            if not self._is_resting and time.monotonic() - self._read_s >= unused_s:
                self._is_resting, self._position = True, -1
                self._pending, self._is_at_end = [], False
                self._consumer.unassign()
            return self._is_resting
        finally:
            self.lock.release()

    def _read(self, offset: int, timeout_s: float) -> Chunk:
        if self._position < 0 or not 0 <= (offset - self._position) * self._record_bytes <= _JUMP_BYTES:
            self._assign(offset)
        for _ in range(2):
            deadline = time.monotonic() + timeout_s
            while time.monotonic() <= deadline:
                self._poll()
                if self._is_at_end and not self._pending:
                    self._is_at_end = False
                    with suppress(KafkaException):  # of a broker that is away nothing is learnt: there is a deadline
                        self._check_bounds(offset)
                while self._pending:
                    chunk = self._take(self._pending.pop(), offset)
                    if chunk is not None:
                        return chunk
            try:
                self._check_bounds(offset)
            except KafkaException as error:
                self._position = -1
                raise TimeoutError(f"{self._place}@{offset}: not readable within {timeout_s:.0f} s") from error
            # The broker answers, so reading starts anew, once: what was asked for may still be on its way.
            self._assign(offset)
        raise self._unavailable(offset, f"not readable within twice {timeout_s:.0f} s, though the broker answers")

    def close(self) -> None:
        self._consumer.close()

    def _poll(self) -> None:
        if self._pending:
            return
        # `consume` waits until the whole batch is there: wait for one message, then take what is queued.
        first = self._consumer.poll(_END_S if self._is_at_end else _POLL_S)
        if first is not None:
            self._pending = [first, *self._consumer.consume(_BATCH - 1, 0)]
            self._pending.reverse()

    def _take(self, message: Message, offset: int) -> Chunk | None:
        """The record, if this message is it."""
        error, at = message.error(), message.offset()
        if error is not None:
            self._handle(error, at, offset)
            return None
        self._is_at_end = False
        chunk = Chunk(message.key(), message.value() or b"")
        self._position, self._record_bytes = at + 1, max(1, len(chunk.value))
        if at == offset:
            return chunk
        if at > offset:
            # It is not wanted now, but soon.
            self._assign(at)
            raise self._unavailable(offset, f"no such record, the next is {at}")
        self._cache.offer(self._partition, at, chunk)
        return None

    def _handle(self, error: KafkaError, at: int, offset: int) -> None:
        """at: of an error of the partition, where the client stands."""
        code = error.code()
        if error.fatal():
            self._position = -1
            raise KafkaException(error)
        if code == KafkaError._PARTITION_EOF:
            if at > offset:
                # Everything up to the end was read, and the record was not in it.
                self._position = at
                raise self._unavailable(offset, f"no record; the partition ends at {at}")
            # Perhaps the end that it had when something else was read.
            self._is_at_end = True
            return
        if code not in _OF_THE_RECORD:
            return
        if self._assigned != offset:
            # Of a record on the way there.
            self._assign(offset)
            return
        # Of a broker that is away nothing is learnt here, and `read` has a deadline.
        with suppress(KafkaException):
            self._check_bounds(offset)
            raise self._unavailable(offset, error.str())

    def _check_bounds(self, offset: int) -> None:
        """Raises ChunkUnavailable if the partition cannot hold the offset, KafkaException if nobody answers."""
        place = TopicPartition(self._topic, self._partition)
        low, high = self._consumer.get_watermark_offsets(place, timeout=_QUERY_S)
        if not low <= offset < high:
            raise self._unavailable(offset, f"the partition holds [{low}, {high})")

    def _unavailable(self, offset: int, why: str) -> ChunkUnavailable:
        if self._position <= offset:
            self._position = -1
        return ChunkUnavailable(f"{self._place}@{offset}: {why}")

    def _assign(self, offset: int) -> None:
        self._pending, self._is_at_end = [], False
        if not self._has_met:
            clients.meet(self._consumer, self._topic)
            self._has_met = True
        self._consumer.assign([TopicPartition(self._topic, self._partition, offset)])
        self._position = self._assigned = offset
        self._is_resting = False
