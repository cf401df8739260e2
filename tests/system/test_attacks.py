"""One federation under attack by somebody who may write to every topic, while its jobs and its broker are killed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from fluvial.wire.errors import DecodeError
from fluvial.wire.framing import decode
from fluvial.wire.records import Verdict
from fluvial.wire.topics import NAMES
from pipelines.flink import log_reader
from pipelines.replay import KafkaLog, replay
from tests.system.small_federation import MEAN, NUM_PARTICIPANTS, SmallFederation

pytestmark = [pytest.mark.system, pytest.mark.soak, pytest.mark.timeout(900)]

HALF = NUM_PARTICIPANTS // 2
COPIES = 100
LARGEST = (1 << 20) - 1024


class Attacker:
    """Writes what no stage wrote. Seeded: the same attack each time."""

    def __init__(self, small: SmallFederation) -> None:
        self._brokers, self._topics = small.federation.brokers, small.federation.topics
        self._random = random.Random(7)
        settings = {"message.max.bytes": 4 << 20, "enable.idempotence": True}
        self._producer = Producer({**self._brokers.librdkafka("attacker"), **settings})

    def everywhere(self) -> None:
        """In each topic: junk, a record of almost a mebibyte, tombstones of every key, copies of every record with its
        headers, on any partition, and the markers of aborted and committed transactions."""
        for name in NAMES:
            topic = getattr(self._topics, name)
            known = list(log_reader.read_to_end(self._brokers, topic))
            partitions = len(log_reader.bounds(self._brokers, topic))
            self._junk(topic, partitions)
            for record in known[-200:]:
                partition = self._random.randrange(partitions)
                headers = list(record.headers or ())
                self._send(topic, record.value, key=record.key, headers=headers, partition=partition)
                self._send(topic, record.value, key=record.key, headers=headers, partition=record.partition)
            for key in {record.key for record in known if record.key is not None}:
                if name != "leases":
                    self._send(topic, None, key=key, partition=self._random.randrange(partitions))
            self._producer.flush(30)
            self._transactions(topic)

    def copies(self, raw: bytes, names: list[str], count: int) -> None:
        """The same record, under several keys and on every partition."""
        partitions = len(log_reader.bounds(self._brokers, self._topics.updates))
        for number in range(count):
            self._send(
                self._topics.updates, raw, key=names[number % len(names)].encode(), partition=number % partitions
            )
        self._producer.flush(30)

    def _junk(self, topic: str, partitions: int) -> None:
        for size in (0, 1, 24, 300, 5_000):
            self._send(topic, self._random.randbytes(size), key=self._random.randbytes(5), partition=size % partitions)
        self._send(topic, bytes(LARGEST), key=b"large", partition=0)

    def _transactions(self, topic: str) -> None:
        producer = Producer({**self._brokers.librdkafka("attacker"), "transactional.id": f"attacker-{topic}"})
        producer.init_transactions(30)
        for end in (producer.abort_transaction, producer.commit_transaction):
            producer.begin_transaction()
            producer.produce(topic, b"in a transaction", key=b"attacker", partition=0)
            producer.flush(30)
            end(30)

    def _send(self, topic: str, value: bytes | None, **place: Any) -> None:
        while True:
            try:
                self._producer.produce(topic, value, **place)
                break
            except BufferError:
                self._producer.poll(0.1)
        self._producer.poll(0)


def verdicts_by_input(small: SmallFederation) -> dict[tuple[int, int], set[Verdict]]:
    """For every record of topic updates its different verdicts: copies of one are that one."""
    topics = small.federation.topics
    found: dict[tuple[int, int], set[Verdict]] = {
        (message.partition, message.offset): set() for message in small.read(topics.updates)
    }
    for message in small.read(topics.verdicts):
        try:
            verdict = decode(message.value or b"", Verdict)
        except DecodeError:
            continue
        if verdict.source_topic == topics.updates:
            found[verdict.source_partition, verdict.source_offset].add(verdict)
    return found


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallFederation]:
    directory: Path = tmp_path_factory.mktemp("attacks")
    with SmallFederation(directory, forged=True) as small:
        small.job.start()
        small.job.wait_until_running()
        yield small


def test_whatever_is_written_to_any_topic_each_record_has_one_verdict_and_rounds_go_on(
    federation: SmallFederation,
) -> None:
    attacker = Attacker(federation)
    federation.create_task("besieged", MEAN, rounds=3)
    round_ = federation.wait_for_round("besieged", 1)
    numbers = range(HALF)
    federation.wait_for_verdicts(numbers, federation.publish(round_, numbers))
    names = list(federation.keys)
    updates = [message.value for message in federation.read(federation.federation.topics.updates)]
    attacker.copies(updates[0], names, COPIES)
    attacker.everywhere()
    federation.publish(round_, range(HALF, NUM_PARTICIPANTS))
    federation.wait_for_version("besieged", 1)

    round_ = federation.wait_for_round("besieged", 2)
    federation.publish(round_, numbers)
    attacker.copies(updates[1], names, COPIES)
    federation.lose_jobs_and_checkpoints()
    attacker.copies(updates[1], names, COPIES)
    attacker.everywhere()
    federation.submit([("validation", "audit"), ("aggregation",)], "after-attack", 2)
    federation.stack.broker.kill()  # in the middle of reading the log
    federation.stack.broker.start()
    federation.publish(round_, range(HALF, NUM_PARTICIPANTS))
    federation.wait_for_version("besieged", 2)

    federation.publish(federation.wait_for_round("besieged", 3), range(NUM_PARTICIPANTS))
    federation.wait_for_version("besieged", 3)
    verdicts = verdicts_by_input(federation)
    assert {len(found) for found in verdicts.values()} == {1}, Counter(map(len, verdicts.values()))
    for version in (1, 2, 3):
        found = replay(KafkaLog(federation.transport, federation.federation), "besieged", version)
        assert found.differs == ()
    report = federation.audit()
    assert report.problems == ()
    assert report.verified
