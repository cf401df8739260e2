"""Reads topics to their end: how a stage that was started without state learns what the log holds.

    for record in read_to_end(settings.brokers, topics.audit, tail=70_000):
        ...                                          # a SourceRecord, with its headers
    for record, leaf in decoded(records, SequencedEvent, topics.audit):
        ...                                          # junk skipped, counted, told once

Committed records alone, up to the end that the topic had when the call was made, so the reading is bounded whatever is
written meanwhile. Each partition comes in the order of its offsets; partitions interleave. How long it took is logged.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from fluvial.identity.brokers import Brokers
from fluvial.wire.errors import DecodeError, TransportError
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import decode
from pipelines.flink.frames import SourceRecord
from pipelines.flink.offsets import Bounds, starting_offsets

STALL_SECONDS = 30.0

SETTLE_SECONDS = 5.0
"""Longest wait, for each topic, for transactions of a former run: Flink commits or aborts them at once when it starts
again. Not longer, because this job's own may be open as well, and stay so until all its operators have read: a round
that the keeper had announced kept validation waiting for the transaction's timeout."""

_CLIENT_ID = "fluvial-log-reader"
_CALL_SECONDS = 15.0
_POLL_SECONDS = 0.2
_BATCH = 1_000

_log = logger(__name__)
T = TypeVar("T")


class LogUnreadable(TransportError):
    """A topic could not be read to its end: the broker is away, or the topic does not exist."""


def read_to_end(
    brokers: Brokers,
    topic: str,
    *,
    start: Mapping[int, int] | None = None,
    tail: int | None = None,
    settle_seconds: float = 0.0,
    stall_seconds: float = STALL_SECONDS,
    committed: bool = True,
) -> Iterator[SourceRecord]:
    """The committed records of a topic, to its end as it is now. A tombstone has an empty value.

    start, tail: see `starting_offsets`; without them from the first record on. settle_seconds: how long to wait for
    transactions that are open now; what they commit belongs to the end, and their records hide all that lies behind
    them. committed: False for a topic whose writers use no transactions; then nobody's open transaction hides anything.
    Raises LogUnreadable when nothing arrives for `stall_seconds`.
    """
    began = time.monotonic()
    held = bounds(brokers, topic)
    if settle_seconds > 0:
        held = _settled(brokers, topic, held, settle_seconds)
    if not committed:
        held = {partition: bound._replace(end=bound.written) for partition, bound in held.items()}
    offsets = starting_offsets(held, start, tail)
    left = {partition: held[partition].end for partition, offset in offsets.items() if offset < held[partition].end}
    count = 0
    if left:
        isolation = "read_committed" if committed else "read_uncommitted"
        consumer = Consumer({**_consumer_settings(brokers), "isolation.level": isolation})
        try:
            consumer.assign([TopicPartition(topic, partition, offsets[partition]) for partition in left])
            for record in _records(consumer, topic, left, stall_seconds):
                count += 1
                yield record
        finally:
            consumer.close()
    _log.info("read %d records of %s in %.2f s", count, topic, time.monotonic() - began)


def bounds(brokers: Brokers, topic: str) -> dict[int, Bounds]:
    """What each partition of a topic holds now. Raises LogUnreadable."""
    admin = AdminClient(brokers.librdkafka(_CLIENT_ID))
    try:
        metadata = admin.list_topics(topic, timeout=_CALL_SECONDS).topics[topic]
        if metadata.error is not None:
            raise KafkaException(metadata.error)
        places = [TopicPartition(topic, partition) for partition in sorted(metadata.partitions)]
        first = _offsets(admin, places, OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED)
        # In this order an end is never behind what is written, though records arrive in between.
        end = _offsets(admin, places, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)
        written = _offsets(admin, places, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)
    except KafkaException as error:
        raise LogUnreadable(f"{topic}: {error.args[0].str()}") from error
    return {partition: Bounds(first[partition], end[partition], written[partition]) for partition in first}


def offsets_at(brokers: Brokers, topic: str, timestamp_ms: int) -> dict[int, int]:
    """By partition the first offset of broker time `timestamp_ms` or later; the end where there is none. Raises
    LogUnreadable."""
    held = bounds(brokers, topic)
    admin = AdminClient(brokers.librdkafka(_CLIENT_ID))
    places = [TopicPartition(topic, partition) for partition in held]
    try:
        found = _offsets(admin, places, OffsetSpec.for_timestamp(timestamp_ms), IsolationLevel.READ_UNCOMMITTED)
    except KafkaException as error:
        raise LogUnreadable(f"{topic}: {error.args[0].str()}") from error
    return {partition: offset if offset >= 0 else held[partition].end for partition, offset in found.items()}


def decoded(records: Iterable[SourceRecord], kind: type[T], topic: str) -> Iterator[tuple[SourceRecord, T]]:
    """The records that are of this kind, beside what they are. Others are skipped, and their number is told at the
    end, with the place of the first."""
    junk, first = 0, ""
    for record in records:
        try:
            content = decode(record.value, kind)
        except DecodeError as error:
            if not junk:
                first = f"{topic}/{record.partition}@{record.offset}: {error}"
            junk += 1
            continue
        yield record, content
    if junk:
        _log.warning("%d records of %s are no %s and were skipped; the first is %s", junk, topic, kind.__name__, first)


def _settled(brokers: Brokers, topic: str, held: Mapping[int, Bounds], seconds: float) -> dict[int, Bounds]:
    """What the topic holds once the transactions that were open in `held` are over, or the time is."""
    deadline = time.monotonic() + seconds
    while True:
        now = bounds(brokers, topic)
        behind = [partition for partition, (_, _, written) in held.items() if now[partition].end < written]
        if not behind:
            return now
        if time.monotonic() > deadline:
            _log.warning("%s: a transaction in partition %d is open for %.0f s", topic, behind[0], seconds)
            return now
        time.sleep(_POLL_SECONDS)


def _records(consumer: Any, topic: str, left: dict[int, int], stall_seconds: float) -> Iterator[SourceRecord]:
    """`left`: the end of each partition that is not read yet; emptied on the way."""
    progress = time.monotonic()
    while left:
        # `consume` waits until the whole batch is there: wait for one message, then take what is queued.
        arrived = consumer.poll(_POLL_SECONDS)
        for message in [] if arrived is None else [arrived, *consumer.consume(_BATCH, 0)]:
            partition, error = message.partition(), message.error()
            if error is not None:
                _raise_unless_passing(error, topic)
                if error.code() != KafkaError._PARTITION_EOF:
                    continue
            elif partition in left and message.offset() < left[partition]:
                yield _source_record(message)
            progress = time.monotonic()
            # At the end lie control records, which are no messages: the event of the end tells that they were passed.
            if message.offset() + (error is None) >= left.get(partition, 0):
                left.pop(partition, None)
        if time.monotonic() - progress > stall_seconds:
            raise LogUnreadable(f"{topic}: nothing arrived for {stall_seconds:.0f} s, {len(left)} partitions unread")


def _source_record(message: Any) -> SourceRecord:
    return SourceRecord(
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value() or b"",
        tuple((name, value or b"") for name, value in message.headers() or ()),
    )


def _raise_unless_passing(error: Any, topic: str) -> None:
    """librdkafka mends connections by itself: an absent broker is waited for, until the reading stalls."""
    passing = (KafkaError._PARTITION_EOF, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT)
    if error.code() not in passing and not error.retriable():
        raise LogUnreadable(f"{topic}: {error.str()}")


def _offsets(admin: AdminClient, places: list[TopicPartition], spec: Any, isolation: Any) -> dict[int, int]:
    futures = admin.list_offsets(dict.fromkeys(places, spec), isolation_level=isolation, request_timeout=_CALL_SECONDS)
    return {place.partition: future.result().offset for place, future in futures.items()}


def _consumer_settings(brokers: Brokers) -> dict[str, object]:
    return {
        **brokers.librdkafka(_CLIENT_ID),
        "group.id": _CLIENT_ID,  # librdkafka asks for one; with assign() and no commits it stays unused
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        # What retention takes while it is read must be an error, not a silent jump.
        "auto.offset.reset": "error",
        # Behind the marker of a transaction an empty answer tells of the end: one need not wait for it.
        "fetch.wait.max.ms": 5,
        "fetch.message.max.bytes": 4 << 20,
        "queued.max.messages.kbytes": 16 << 10,
        "fetch.queue.backoff.ms": 1,  # a full queue otherwise postpones the next fetch by a second
    }
