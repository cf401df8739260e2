"""`fluvial bench limits`: what this machine can do at most, against which every other measurement is read.

Machines differ by a factor of two and more, so a rate alone says little: benchmarks also print it as a share of the
limit that it cannot pass. Arithmetic is measured in processor time of one core, in its best repeat, so that what else
the machine does counts least; reading by the clock, with broker and client on this machine's cores.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition

from deploy.local.stack import Stack
from fluvial.identity.brokers import Brokers
from fluvial.identity.keys import SigningKey, verify
from fluvial.kafka.librdkafka import clients
from models.aggregation.fixed_point import ChunkSum

CHUNK_BYTES = 1 << 20
ENVELOPE_BYTES = 450
"""What is signed of an update with a small delta inside."""

_REPEATS = 5
_WORK_SECONDS = 0.05
_FRACTION_BITS = 40
_READ_BYTES = 256 << 20
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What one client read of a topic."""

    records: int
    num_bytes: int
    seconds: float

    @property
    def megabytes_per_second(self) -> float:
        return self.num_bytes / 1e6 / self.seconds

    @property
    def records_per_second(self) -> float:
        return self.records / self.seconds


def run(directory: Path, *, report: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Measure in a directory. Returns what `--json` prints. Raises TimeoutError when the broker does not answer."""
    report("arithmetic of one core")
    figures = core()
    with ExitStack() as ends:
        report("starting the broker")
        stack = ends.enter_context(Stack(directory / "stack", partitions=4))
        brokers, topic = stack.federation.brokers, stack.federation.topics.update_blobs
        report(f"reading {_READ_BYTES >> 20} MiB from it")
        _fill(brokers, topic)
        figures["read_megabytes_per_second"] = max(sequential_read(brokers, topic).megabytes_per_second for _ in "12")
    report("crossings between Java and Python")
    from deploy.bench.crossing import crossing_microseconds  # brings in PyFlink, which other benchmarks do without

    figures["crossing_microseconds"] = crossing_microseconds(directory / "crossing")
    return figures


def core() -> dict[str, float]:
    """Rates of one core, by processor time: SHA-256 and the exact sum in 10^6 bytes a second, over chunks of a MiB that
    take turns, so that none lies in a cache; Ed25519 in verifications a second, as the gate makes them."""
    chunks = [bytes([number]) * CHUNK_BYTES for number in range(32)]
    deltas = [np.full(CHUNK_BYTES // 4, number / 100, np.float32) for number in range(32)]
    total = ChunkSum(CHUNK_BYTES // 4, _FRACTION_BITS)

    def add_all() -> None:
        for one in deltas:
            total.add(one, 1)

    return {
        "sha256_megabytes_per_second": per_second(lambda: [sha256(one).digest() for one in chunks], 32 * 1.048576),
        "exact_sum_megabytes_per_second": per_second(add_all, 32 * 1.048576),
        "ed25519_per_second": ed25519_per_second(),
    }


def ed25519_per_second() -> float:
    """Verifications of one core, of what is signed of a small update."""
    key, message = SigningKey.generate(), bytes(ENVELOPE_BYTES)
    signature = key.sign(message)
    return per_second(lambda: [verify(key.public_key, signature, message) for _ in range(100)], 100)


def per_second(work: Callable[[], object], amount: float) -> float:
    """amount: of what one call does. The best of some repeats, by processor time."""
    best = 0.0
    for _ in range(_REPEATS):
        began, calls = time.process_time(), 0
        while (spent := time.process_time() - began) < _WORK_SECONDS:
            work()
            calls += 1
        best = max(best, calls * amount / spent)
    return best


def sequential_read(brokers: Brokers, topic: str) -> Read:
    """All that a topic holds now, read forward by librdkafka alone, every partition at once, with nothing done with it.
    The time counts from the first record, so without what it takes to connect. Raises TimeoutError when the broker does
    not answer."""
    settings = {"isolation.level": "read_uncommitted", "queued.max.messages.kbytes": 64 << 10}
    consumer = clients.consumer(brokers, "fluvial-bench", settings)
    try:
        left = set(consumer.list_topics(topic, timeout=_PATIENCE_SECONDS).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in left])
        records = num_bytes = 0
        deadline, began = time.monotonic() + _PATIENCE_SECONDS, 0.0
        while left:
            first = consumer.poll(0.2)
            if first is not None:
                began = began or time.perf_counter()
            for message in [first, *consumer.consume(100, 0)] if first is not None else ():
                error = message.error()
                if error is None:
                    records, num_bytes = records + 1, num_bytes + len(message.value() or b"")
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
            if time.monotonic() > deadline:
                raise TimeoutError(f"{topic} cannot be read to its end")
        return Read(records=records, num_bytes=num_bytes, seconds=time.perf_counter() - began)
    finally:
        consumer.close()


def _fill(brokers: Brokers, topic: str) -> None:
    """Chunks for every partition in turn. Raises TimeoutError when the broker does not have them within a minute."""
    settings = {"message.max.bytes": 2 * CHUNK_BYTES, "queue.buffering.max.kbytes": 2 * _READ_BYTES >> 10}
    producer = clients.producer(brokers, "fluvial-bench", settings)
    chunk = np.random.default_rng(1).bytes(CHUNK_BYTES)
    for number in range(_READ_BYTES // CHUNK_BYTES):
        producer.produce(topic, chunk, partition=number % 4)
    if producer.flush(_PATIENCE_SECONDS):
        raise TimeoutError(f"the broker did not take {_READ_BYTES >> 20} MiB in {_PATIENCE_SECONDS:.0f} s")
