"""Results in transactions: what is written is visible as a whole, and a checkpoint can wait for it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from pipelines.inference.results_writer import ResultsWriter


class Broker:
    """A transactional producer. `gate`: commits wait for it."""

    def __init__(self) -> None:
        self.committed: list[list[tuple[int, bytes]]] = []
        self.gate, self.committing = threading.Event(), threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self._open: list[tuple[int, bytes]] = []

    def begin_transaction(self) -> None:
        self._open = []

    def produce(self, topic: str, value: bytes, partition: int) -> None:
        self._open.append((partition, value))

    def commit_transaction(self, timeout: float) -> None:
        self.committing.set()
        self.gate.wait(5)
        if self.error is not None:
            raise self.error
        self.committed.append(self._open)


def writer(broker: Any) -> ResultsWriter:
    return ResultsWriter(broker, "results", 5.0)


def test_what_was_written_is_committed_when_it_has_settled() -> None:
    broker = Broker()
    results = writer(broker)
    results.write([(0, b"a"), (1, b"b")])
    results.settle()
    assert broker.committed == [[(0, b"a"), (1, b"b")]]
    results.close()


def test_settling_waits_for_a_commit_under_way() -> None:
    broker = Broker()
    broker.gate.clear()
    results = writer(broker)
    results.write([(0, b"a")])
    assert broker.committing.wait(5)
    settled = threading.Thread(target=results.settle)
    settled.start()
    settled.join(0.1)
    assert settled.is_alive()
    broker.gate.set()
    settled.join(5)
    assert broker.committed == [[(0, b"a")]]
    results.close()


def test_what_gathers_during_a_commit_goes_into_the_next_transaction() -> None:
    broker = Broker()
    broker.gate.clear()
    results = writer(broker)
    results.write([(0, b"a")])
    assert broker.committing.wait(5)
    results.write([(0, b"b")])
    results.write([(1, b"c")])
    broker.gate.set()
    results.settle()
    assert broker.committed == [[(0, b"a")], [(0, b"b"), (1, b"c")]]
    results.close()


def test_a_worker_that_was_fenced_learns_of_it() -> None:
    broker = Broker()
    broker.error = KafkaException(KafkaError(KafkaError._FENCED))
    results = writer(broker)
    results.write([(0, b"a")])
    with pytest.raises(KafkaException):
        results.settle()
    with pytest.raises(KafkaException):
        results.write([(0, b"b")])
    results.close()
