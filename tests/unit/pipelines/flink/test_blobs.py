"""Chunks by reference over a scripted client."""

from __future__ import annotations

from typing import Any

import pytest

from fluvial.identity.brokers import Brokers
from fluvial.kafka.librdkafka import clients
from fluvial.wire.records import ChunkReference
from pipelines.flink import blobs
from pipelines.flink.blobs import BlobReader
from tests.unit.pipelines.flink.test_partition_reader import Partition


def reference(offset: int) -> ChunkReference:
    return ChunkReference(partition=0, offset=offset, length=4, sha256=bytes(32))


def test_readers_rest_when_nobody_asks_and_serve_whoever_asks_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of a partition they ask the broker again and again."""
    partition = Partition(b"zero", b"one")
    monkeypatch.setattr(clients, "consumer", lambda *_: partition)
    monkeypatch.setattr(blobs, "_REST_S", 0.001)
    reader = BlobReader(Brokers(bootstrap_servers="127.0.0.1:1"), "blobs", cache_bytes=0, timeout_ms=1_000)
    for offset, expected in ((0, b"zero"), (1, b"one"), (0, b"zero")):
        partition.at_rest.clear()
        assert reader.chunk(reference(offset)) == expected
        assert partition.at_rest.wait(30)
    reader.close()


def test_what_the_broker_holds_back_at_the_end_of_a_partition_delays_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client has one fetch at a time: whoever turns back to an earlier chunk waits until it is answered."""
    asked: list[Any] = []
    monkeypatch.setattr(clients, "consumer", lambda brokers, name, settings: asked.append(settings) or Partition(b"0"))
    reader = BlobReader(Brokers(bootstrap_servers="127.0.0.1:1"), "blobs", cache_bytes=0, timeout_ms=1_000)
    reader.chunk(reference(0))
    reader.close()
    assert all(settings["fetch.wait.max.ms"] <= 20 for settings in asked)
