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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import ClassVar, TypeVar

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from fluvial import kafka
from fluvial.identity.brokers import Brokers
from fluvial.kafka import End, Message, Transport
from fluvial.kafka.librdkafka import clients
from fluvial.wire.errors import DecodeError, TransportError
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import decode_either
from pipelines.flink.frames import SourceRecord
from pipelines.flink.offsets import Bounds, starting_offsets

STALL_SECONDS = 30.0

SETTLE_SECONDS = 5.0
"""Longest wait, for each topic, for transactions of a former run: Flink commits or aborts them at once when it starts
again. Not longer, because this job's own may be open as well, and stay so until all its operators have read: a round
that the keeper had announced kept validation waiting for the transaction's timeout. Where the job's lease tells what
was written before it (`former_ends`), nobody waits for its own."""

_CLIENT_ID = "fluvial-log-reader"
_POLL_SECONDS = 0.2
_NO_LEADER_YET = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.OFFSET_NOT_AVAILABLE,
)
"""What a broker says of a partition while a topic is made or a broker starts; the last of an end, until it has just
learned as a leader how far the others are."""
_DENIED = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED)

_log = logger(__name__)
T = TypeVar("T")


class LogUnreadable(TransportError):
    """A topic could not be read to its end: the broker is away, the topic does not exist, or retention took what
    was to be read."""


class LogRefused(LogUnreadable):
    """And to read it again does not help."""

    retriable: ClassVar[bool] = False


def _unreadable(sentence: str, *, retriable: bool) -> LogUnreadable:
    return LogUnreadable(sentence) if retriable else LogRefused(sentence)


def read_to_end(
    brokers: Brokers,
    topic: str,
    *,
    start: Mapping[int, int] | None = None,
    tail: int | None = None,
    settle_seconds: float = 0.0,
    former_ends: Mapping[int, int] | None = None,
    stall_seconds: float = STALL_SECONDS,
    committed: bool = True,
) -> Iterator[SourceRecord]:
    """The committed records of a topic, to its end as it is now. A tombstone has an empty value.

    start, tail: see `starting_offsets`; without them from the first record on. settle_seconds: how long to wait for
    transactions that are open now; what they commit belongs to the end, and their records hide all that lies behind
    them. former_ends: by partition, wait for those alone that lie before here. committed: False for a topic whose
    writers use no transactions; then nobody's open transaction hides anything.
    Raises LogUnreadable when nothing arrives for `stall_seconds`, and LogRefused where the broker refuses.
    """
    began, count = time.monotonic(), 0
    try:
        with closing(kafka.connect(brokers, _CLIENT_ID, committed=committed)) as transport:
            settled = None
            if settle_seconds > 0:
                settled = _settled(transport, brokers, topic, settle_seconds, former_ends)
            with closing(_reader(transport, topic, start, tail, settled)) as reader:
                for message in kafka.read_to_end(reader, stall_seconds):
                    count += 1
                    yield _source_record(message)
    except TransportError as error:
        raise _unreadable(f"{topic}: {error}", retriable=error.retriable) from error
    _log.info("read %d records of %s in %.2f s", count, topic, time.monotonic() - began)


def _reader(
    transport: Transport,
    topic: str,
    start: Mapping[int, int] | None,
    tail: int | None,
    settled: Mapping[int, Bounds] | None,
) -> kafka.Reader:
    """settled: what the topic holds; else what it holds now, which the reader finds by its own connection."""
    if settled is None:
        return transport.read(topic, lambda held: starting_offsets(_seen(held), start, tail), End.PRESENT)
    return transport.read(
        topic, starting_offsets(settled, start, tail), {number: held.end for number, held in settled.items()}
    )


def bounds(brokers: Brokers, topic: str) -> dict[int, Bounds]:
    """What each partition of a topic holds now. Raises LogUnreadable, LogRefused where there is no such topic."""
    found = all_bounds(brokers, [topic])
    if topic not in found:
        raise LogRefused(f"there is no topic {topic}: `fluvial topics create` makes it")
    return found[topic]


def all_bounds(brokers: Brokers, topics: Iterable[str]) -> dict[str, dict[int, Bounds]]:
    """By topic what each of its partitions holds now, asked over one connection; of those topics that there are. Raises
    LogUnreadable."""
    wanted = frozenset(topics)

    def ask(client: AdminClient) -> dict[str, dict[int, Bounds]]:
        places = _places(client, wanted)
        firsts = _offsets(client, places, OffsetSpec.earliest(), IsolationLevel.READ_COMMITTED)
        committed = _offsets(client, places, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)
        # In this order an end is never behind what is written, though records arrive in between.
        written = _offsets(client, places, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)
        return {
            topic: {
                number: Bounds(first, committed[topic][number], written[topic][number]) for number, first in own.items()
            }
            for topic, own in firsts.items()
        }

    return _answered(brokers, ask)


def ends(brokers: Brokers, topics: Iterable[str]) -> dict[str, dict[int, int]]:
    """By topic and partition the end of what is written now, committed or not; of those topics that there are. Raises
    LogUnreadable."""
    wanted = frozenset(topics)

    def ask(client: AdminClient) -> dict[str, dict[int, int]]:
        return _offsets(client, _places(client, wanted), OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)

    return _answered(brokers, ask)


def _answered(brokers: Brokers, ask: Callable[[AdminClient], T]) -> T:
    """Asked again where leaders are just being chosen."""
    client = clients.admin(brokers, _CLIENT_ID)
    deadline = time.monotonic() + STALL_SECONDS
    while True:
        try:
            return ask(client)
        except (KafkaException, TimeoutError) as error:
            code = error.args[0].code() if isinstance(error, KafkaException) else None
            if code not in _NO_LEADER_YET or time.monotonic() > deadline:
                sentence = f"the broker does not tell where its topics end: {error}"
                raise _unreadable(sentence, retriable=code not in _DENIED) from error
            time.sleep(_POLL_SECONDS)


def _places(client: AdminClient, topics: frozenset[str]) -> list[TopicPartition]:
    known = client.list_topics(timeout=STALL_SECONDS).topics
    return [TopicPartition(topic, number) for topic in topics & known.keys() for number in known[topic].partitions]


def _offsets(
    client: AdminClient, places: Sequence[TopicPartition], which: OffsetSpec, isolation: IsolationLevel
) -> dict[str, dict[int, int]]:
    if not places:
        return {}
    found: dict[str, dict[int, int]] = {}
    for place, future in client.list_offsets(dict.fromkeys(places, which), isolation_level=isolation).items():
        found.setdefault(place.topic, {})[place.partition] = future.result(STALL_SECONDS).offset
    return found


def never_written(brokers: Brokers, topics: Iterable[str]) -> frozenset[str]:
    """Those to which nobody has written anything: asked at once, because to read each takes a connection or two. Raises
    LogUnreadable."""
    return frozenset(topic for topic, written in ends(brokers, topics).items() if not any(written.values()))


def oldest_ms(brokers: Brokers, topics: Iterable[str]) -> int | None:
    """Broker time of the oldest record that these topics hold; None where they hold none. Raises LogUnreadable."""
    wanted = frozenset(topics)

    def ask(client: AdminClient) -> int | None:
        places = _places(client, wanted)
        found = client.list_offsets(dict.fromkeys(places, OffsetSpec.for_timestamp(0))) if places else {}
        firsts = [future.result(STALL_SECONDS) for future in found.values()]
        return min((first.timestamp for first in firsts if first.offset >= 0), default=None)

    return _answered(brokers, ask)


def offsets_at(brokers: Brokers, topic: str, timestamp_ms: int) -> dict[int, int]:
    """By partition the first offset of broker time `timestamp_ms` or later; the end where there is none. Raises
    LogUnreadable."""
    try:
        with closing(kafka.connect(brokers, _CLIENT_ID, committed=False)) as transport:
            return dict(transport.offsets_at(topic, timestamp_ms))
    except TransportError as error:
        raise _unreadable(f"{topic}: {error}", retriable=error.retriable) from error


def decoded(
    records: Iterable[SourceRecord], kind: type[T], topic: str, *, beside: type | None = None
) -> Iterator[tuple[SourceRecord, T]]:
    """The records that are of this kind, beside what they are. Others are skipped, and their number is told at the
    end, with the place of the first. beside: another kind that belongs there, of which nothing is told."""
    junk, first = 0, ""
    for record in records:
        try:
            content = decode_either(record.value, kind, beside or kind)
        except DecodeError as error:
            if not junk:
                first = f"{topic}/{record.partition}@{record.offset}: {error}"
            junk += 1
            continue
        if isinstance(content, kind):
            yield record, content
    if junk:
        _log.warning("%d records of %s are no %s and were skipped; the first is %s", junk, topic, kind.__name__, first)


def _settled(
    transport: Transport, brokers: Brokers, topic: str, seconds: float, former_ends: Mapping[int, int] | None
) -> dict[int, Bounds]:
    """What the topic holds once the transactions that are open now, or before the given ends, are over, or the time
    is."""
    deadline = time.monotonic() + seconds
    written = _written(brokers, topic) if former_ends is None else former_ends
    while True:
        now = _held(transport, topic)
        behind = [partition for partition, end in written.items() if now[partition].end < end]
        if not behind:
            return now
        if time.monotonic() > deadline:
            _log.warning("%s: a transaction in partition %d is open for %.0f s", topic, behind[0], seconds)
            return now
        time.sleep(_POLL_SECONDS)


def _held(transport: Transport, topic: str) -> dict[int, Bounds]:
    """What each partition holds, as far as this connection sees it."""
    return _seen(transport.bounds(topic))


def _seen(held: Mapping[int, kafka.Bounds]) -> dict[int, Bounds]:
    return {number: Bounds(first, end, end) for number, (first, end) in held.items()}


def _written(brokers: Brokers, topic: str) -> dict[int, int]:
    """By partition the end of what is written, committed or not."""
    with closing(kafka.connect(brokers, _CLIENT_ID, committed=False)) as transport:
        return {number: held.end for number, held in transport.bounds(topic).items()}


def _source_record(message: Message) -> SourceRecord:
    return SourceRecord(
        message.partition, message.offset, message.timestamp_ms, message.key, message.value or b"", message.headers
    )
