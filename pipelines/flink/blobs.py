"""Reading tensor chunks by reference, and writing model chunks.

Participants upload at the same time, so their chunks interleave in a partition. Each partition is read forward once:
chunks that were read on the way to a wanted one stay in a cache with a byte budget, because their envelopes are
usually a moment behind. Only a miss behind the reading position goes back by offset, and reads forward from there.
Who reads in the order of the log, for many updates at once, needs neither.

Readers are shared by the subtasks of a process (`pipelines.flink.process_resources`), one for each purpose.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from functools import partial

from confluent_kafka import KafkaError, Message, Producer

from fluvial.identity.brokers import Brokers
from fluvial.kafka.librdkafka import clients
from fluvial.wire.records import ChunkReference
from pipelines.flink.chunk_cache import Chunk, ChunkCache
from pipelines.flink.leased_producer import persist, serve
from pipelines.flink.partition_reader import PartitionCount, PartitionReader

_REST_S = 0.2
"""A reader that nobody has asked for so long asks the broker for nothing, until somebody does."""


class BlobReader:
    """Chunks of one topic, by reference. Threads may share it; different partitions are read in parallel."""

    def __init__(
        self, brokers: Brokers, topic: str, *, cache_bytes: int, timeout_ms: int, check_crcs: bool = True
    ) -> None:
        settings = {
            # A chunk that is gone must be an error, not a silent jump to the end.
            "auto.offset.reset": "error",
            "isolation.level": "read_uncommitted",
            "fetch.max.bytes": 8 << 20,
            "receive.message.max.bytes": 9 << 20,
            "queued.max.messages.kbytes": 4 << 10,
            # One fetch at a time: whoever turns to another place waits for what the broker holds back at the end.
            "fetch.wait.max.ms": 10,
            # What was once checked by digest need then not be hashed again. Who hashes everything can do without.
            "check.crcs": check_crcs,
        }
        self._consumer = partial(clients.consumer, brokers, "fluvial-blob-reader", settings)
        self._topic = topic
        self._count = PartitionCount(self._consumer, topic)
        self._timeout_s = timeout_ms / 1000
        self._cache = ChunkCache(cache_bytes)
        self._readers: dict[int, PartitionReader] = {}
        self._is_closed = False
        self._lock = threading.Lock()
        self._stirred, self._closing = threading.Event(), threading.Event()
        self._watch: threading.Thread | None = None

    def chunk(self, reference: ChunkReference) -> bytes:
        """The bytes at a reference; their digest is the caller's to check. Raises as `record`."""
        return self.record(reference).value

    def record(self, reference: ChunkReference) -> Chunk:
        """The record at a reference.

        Raises ChunkUnavailable when the partition holds no such record that can be read, TimeoutError when the broker
        does not answer in time, or is not asked because the reader is closed.
        """
        partition, offset = reference.partition, reference.offset
        chunk = self._cache.take(partition, offset)
        if chunk is not None:
            return chunk
        reader = self._reader(partition)
        if not self._stirred.is_set():
            self._stirred.set()
        with reader.lock:
            # Another thread may have read past it while this one waited.
            chunk = self._cache.take(partition, offset)
            return chunk if chunk is not None else reader.read(offset, self._timeout_s)

    def chunks(self, references: Iterable[ChunkReference]) -> Iterator[tuple[int, bytes]]:
        """(index in references, bytes), in the order in which they lie in the partitions."""
        order = sorted(enumerate(references), key=lambda item: (item[1].partition, item[1].offset))
        for index, reference in order:
            yield index, self.chunk(reference)

    def close(self) -> None:
        """End its consumers; none is begun any more."""
        with self._lock:
            self._is_closed = True
        self._closing.set()
        self._stirred.set()
        if self._watch is not None:
            self._watch.join()
        with self._lock:
            for reader in self._readers.values():
                reader.close()
            self._readers.clear()

    def _reader(self, partition: int) -> PartitionReader:
        self._count.check(partition)
        with self._lock:
            if self._is_closed:
                raise TimeoutError(f"{self._topic}/{partition} is not read any more: the job has ended")
            if partition not in self._readers:
                self._readers[partition] = PartitionReader(self._consumer, self._topic, partition, self._cache)
            if self._watch is None:
                self._watch = threading.Thread(target=self._let_rest, name="fluvial-blob-rest", daemon=True)
                self._watch.start()
            return self._readers[partition]

    def _let_rest(self) -> None:
        """Has readers rest that nobody asks: at the end of a partition they would ask the broker a hundred times a
        second. Sleeps while all of them do."""
        while not self._closing.is_set():
            self._stirred.wait()
            self._stirred.clear()
            while not self._closing.wait(_REST_S):
                with self._lock:
                    readers = list(self._readers.values())
                is_resting = [reader.rest(_REST_S) for reader in readers]
                if all(is_resting):
                    break


class BlobWriter:
    """Writes chunks to explicit partitions, in a transaction from one `flush` to the next, and tells where they lie.

    The transactions are there for the fencing, not for their readers: model-blobs is compacted, and what a writer that
    was fenced still sends is aborted, so that it never takes the place of a live chunk with the same key.
    """

    def __init__(self, producer: Producer, topic: str, *, timeout_ms: int) -> None:
        """producer: from `leased_producer`, for this writer alone."""
        self._producer, self._topic = producer, topic
        self._timeout_s = timeout_ms / 1000
        self._delivered: dict[int, tuple[int, int]] = {}
        self._failed: list[str] = []
        self._sent = 0
        self._open = False

    def send(self, index: int, partition: int, key: bytes, chunk: bytes) -> None:
        """Queue one chunk; waits when the queue is full."""

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._failed.append(error.str())
            elif (offset := message.offset()) is None:  # see fluvial.kafka.backend.acknowledge
                self._failed.append("the broker no longer says where it lies")
            else:
                self._delivered[index] = message.partition(), offset

        if not self._open:
            self._producer.begin_transaction()
            self._open = True
        while True:
            try:
                self._producer.produce(self._topic, chunk, key=key, partition=partition, on_delivery=delivered)
                break
            except BufferError:
                serve(self._producer.poll, 0.05)
        self._sent += 1
        serve(self._producer.poll, 0)

    def close(self) -> None:
        """Drop what is queued: whoever needs it has waited for `flush`."""
        self._producer.purge()
        serve(self._producer.flush, 1.0)

    def flush(self) -> dict[int, tuple[int, int]]:
        """Wait until all is committed; index to (partition, offset). Raises TimeoutError when the broker did not take
        it in time, KafkaException when the writer was fenced."""
        if not self._open:
            return {}
        serve(self._producer.flush, self._timeout_s)
        delivered, failed, sent = self._delivered, self._failed, self._sent
        self._delivered, self._failed, self._sent, self._open = {}, [], 0, False
        if failed or len(delivered) != sent:
            persist(lambda: self._producer.abort_transaction(self._timeout_s), self._timeout_s)
            raise TimeoutError(f"{sent - len(delivered)} of {sent} chunks not written: {'; '.join(failed[:3])}")
        persist(lambda: self._producer.commit_transaction(self._timeout_s), self._timeout_s)
        return delivered
