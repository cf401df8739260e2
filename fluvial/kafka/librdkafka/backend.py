"""The client library confluent-kafka (librdkafka).

It places a key by CRC32 unless told otherwise; `murmur2_random` agrees with Java and kafka-python, so a participant's
records stay in one partition whichever client sends them.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from confluent_kafka import KafkaException

from fluvial.identity.brokers import Brokers
from fluvial.kafka.interface import MAX_REQUEST_BYTES, Beginning, Bounds, Until
from fluvial.kafka.librdkafka import clients
from fluvial.kafka.librdkafka.errors import Troubles, translate
from fluvial.kafka.librdkafka.fetch import LibrdkafkaFetcher
from fluvial.kafka.librdkafka.producer import LibrdkafkaProducer
from fluvial.kafka.librdkafka.reader import LibrdkafkaReader, bounds, offsets_at

_DELIVERY_MS = 120_000
"""As kafka-python has it. `fluvial.edge.upload` waits a little longer."""

_FOLLOW_MS = 500
_BOUNDED_MS = 5
"""How long a broker may wait for records before it answers. Who follows a topic is answered as soon as there is one;
one that fetches what is there can begin with the next only when the broker has answered what it asked for beyond the
last, and one that reads no further is told in this way of an end that its position does not show."""


class LibrdkafkaBackend:
    """See `fluvial.kafka.backend.Backend`."""

    def __init__(self, brokers: Brokers, client_id: str, *, committed: bool = True) -> None:
        self._brokers, self._client_id = brokers, client_id
        self._isolation = "read_committed" if committed else "read_uncommitted"

    def producer(self) -> LibrdkafkaProducer:
        return LibrdkafkaProducer(
            self._brokers,
            self._client_id,
            {
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 0,  # chunks are batches by themselves, and an envelope is waited for
                "queue.buffering.max.kbytes": 64 << 10,
                "message.timeout.ms": _DELIVERY_MS,
                "partitioner": "murmur2_random",
                "message.max.bytes": MAX_REQUEST_BYTES,
            },
        )

    def reader(self, topic: str, start: Beginning, until: Until | None) -> LibrdkafkaReader:
        # Whoever names offsets, or reads what there is now, is not served others.
        reset = "error" if isinstance(start, Mapping) or callable(start) or until is not None else "earliest"
        wait_ms = _FOLLOW_MS if until is None else _BOUNDED_MS
        with self._consumer(reset, topic, wait_ms) as (consumer, troubles):
            return LibrdkafkaReader(consumer, troubles, topic, start, until)

    def fetcher(self) -> LibrdkafkaFetcher:
        with self._consumer("error", "", _BOUNDED_MS) as (consumer, troubles):
            return LibrdkafkaFetcher(consumer, troubles)

    def bounds(self, topic: str) -> Mapping[int, Bounds]:
        with self._consumer("earliest", topic) as (consumer, troubles), closing(consumer):
            return bounds(consumer, topic, troubles)

    def offsets_at(self, topic: str, timestamp_ms: int) -> Mapping[int, int]:
        with self._consumer("earliest", topic) as (consumer, troubles), closing(consumer):
            return offsets_at(consumer, topic, timestamp_ms, bounds(consumer, topic, troubles))

    @contextmanager
    def _consumer(
        self, auto_offset_reset: str, topic: str, wait_ms: int = _FOLLOW_MS
    ) -> Iterator[tuple[Any, Troubles]]:
        """A consumer, which stays open unless this fails."""
        troubles = Troubles()
        consumer = clients.consumer(
            self._brokers,
            self._client_id,
            {
                "error_cb": troubles,
                "group.id": "fluvial-edge",
                "isolation.level": self._isolation,
                "auto.offset.reset": auto_offset_reset,
                "fetch.wait.max.ms": wait_ms,
                "fetch.max.bytes": 16 << 20,
                "receive.message.max.bytes": 17 << 20,  # more than was asked for is no answer
                "queued.max.messages.kbytes": 16 << 10,
            },
        )
        try:
            yield consumer, troubles
        except KafkaException as error:
            consumer.close()
            raise translate(error.args[0], topic, troubles) from error
        except BaseException:
            consumer.close()
            raise
