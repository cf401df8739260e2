"""Chunks by reference from a real broker."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import Producer

from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import ChunkReference
from pipelines.config import Settings
from pipelines.flink.blobs import BlobReader


def test_a_reference_to_the_marker_of_a_transaction_is_unavailable_at_once(settings: Settings) -> None:
    topic = settings.topics.update_blobs
    producer = Producer({**settings.brokers.librdkafka(), "transactional.id": topic})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(topic, b"a chunk", partition=0)
    producer.commit_transaction()
    reader = BlobReader(settings.brokers, topic, cache_bytes=0, timeout_ms=20_000)
    try:
        started = time.monotonic()
        with pytest.raises(ChunkUnavailable, match="the partition ends at 2"):
            reader.chunk(ChunkReference(partition=0, offset=1, length=7, sha256=bytes(32)))
        assert time.monotonic() - started < 10
        assert reader.chunk(ChunkReference(partition=0, offset=0, length=7, sha256=bytes(32))) == b"a chunk"
    finally:
        reader.close()
