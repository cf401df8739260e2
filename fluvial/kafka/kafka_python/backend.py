"""The client library kafka-python 3.

Options follow its documentation: acks="all" and idempotence are its defaults and stand here because the ordering rule
(an envelope only after its chunks) rests on them. There is no `buffer_memory`; what is unacknowledged at once is
bounded by the caller (`fluvial.edge.upload`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import kafka

from fluvial.identity.brokers import Brokers
from fluvial.kafka.interface import MAX_REQUEST_BYTES, Beginning, Bounds, Until
from fluvial.kafka.kafka_python.errors import translated
from fluvial.kafka.kafka_python.fetch import KafkaPythonFetcher
from fluvial.kafka.kafka_python.header_names import read_any_header_name
from fluvial.kafka.kafka_python.opening import opening
from fluvial.kafka.kafka_python.producer import KafkaPythonProducer
from fluvial.kafka.kafka_python.reader import KafkaPythonReader, bounds, offsets_at

_BOOTSTRAP_MS = 15_000
_FOLLOW_MS = 500
_BOUNDED_MS = 5
"""How long a broker may wait for records before it answers: not at all for a reader that goes to the end alone."""

read_any_header_name()


class KafkaPythonBackend:
    """See `fluvial.kafka.backend.Backend`."""

    def __init__(self, brokers: Brokers, client_id: str, *, committed: bool = True) -> None:
        self._brokers, self._client_id = brokers, client_id
        self._isolation = "read_committed" if committed else "read_uncommitted"

    def producer(self) -> KafkaPythonProducer:
        return KafkaPythonProducer(
            {
                **self._brokers.kafka_python(self._client_id),
                "acks": "all",
                "enable_idempotence": True,
                "linger_ms": 2,
                "batch_size": 64 << 10,
                "max_request_size": MAX_REQUEST_BYTES,
                "bootstrap_timeout_ms": _BOOTSTRAP_MS,
            }
        )

    def reader(self, topic: str, start: Beginning, until: Until | None) -> KafkaPythonReader:
        # Whoever names offsets, or reads what there is now, is not served others.
        reset = "none" if isinstance(start, Mapping) or callable(start) or until is not None else "earliest"
        with self._consumer(reset, topic, _FOLLOW_MS if until is None else _BOUNDED_MS) as consumer:
            return KafkaPythonReader(consumer, topic, start, until)

    def fetcher(self) -> KafkaPythonFetcher:
        with self._consumer("none", "") as consumer:
            return KafkaPythonFetcher(consumer)

    def bounds(self, topic: str) -> Mapping[int, Bounds]:
        with self._consumer("earliest", topic) as consumer:
            held = bounds(consumer, topic)
            consumer.close(autocommit=False)
        return held

    def offsets_at(self, topic: str, timestamp_ms: int) -> Mapping[int, int]:
        with self._consumer("earliest", topic) as consumer:
            found = offsets_at(consumer, topic, timestamp_ms, bounds(consumer, topic))
            consumer.close(autocommit=False)
        return found

    @contextmanager
    def _consumer(self, auto_offset_reset: str, topic: str, wait_ms: int = _FOLLOW_MS) -> Iterator[Any]:
        """A consumer, which stays open unless this fails."""
        with opening(topic) as network:
            consumer = kafka.KafkaConsumer(
                **self._brokers.kafka_python(self._client_id),
                group_id=None,
                enable_auto_commit=False,
                isolation_level=self._isolation,
                auto_offset_reset=auto_offset_reset,
                max_partition_fetch_bytes=4 << 20,
                fetch_max_wait_ms=wait_ms,
                bootstrap_timeout_ms=_BOOTSTRAP_MS,
                kafka_client=network,
            )
        try:
            with translated(topic):
                yield consumer
        except BaseException:
            consumer.close(autocommit=False)
            raise
