"""Writes results in transactions, under the job's lease, beside the operator that computes them.

A caller waits for its answer, so results do not wait for Flink's checkpoint: what has gathered while one transaction
was committed goes into the next. The transactions are there for the fencing: what a worker writes after another job has
taken its stage is aborted, and what a worker that failed had not committed never becomes visible (Kafka's KIP-98).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from pipelines.flink.leased_producer import persist

CONFIG = {
    "linger.ms": 0,
    "message.max.bytes": 4 << 20,
    "queue.buffering.max.kbytes": 65_536,
    # A transaction is a few small requests one after the other, and begins while the broker still writes the markers of
    # the last one: each waits for nothing but the broker (6 ms a transaction became 4.5).
    "socket.nagle.disable": True,
    "retry.backoff.ms": 1,
}
"""Of the producer."""

_MAX_WAITING = 64
"""Batches that may wait for the broker before the operator does."""


class Transactional(Protocol):
    """What is used of confluent-kafka's Producer."""

    def begin_transaction(self) -> None: ...
    def produce(self, topic: str, value: bytes, *, partition: int) -> None: ...
    def commit_transaction(self, timeout: float) -> None: ...


class ResultsWriter:
    """One producer and one thread. `close` after use."""

    def __init__(self, producer: Transactional, topic: str, timeout_s: float) -> None:
        """producer: from `leased_producer`, for this writer alone. timeout_s: longest wait for the broker."""
        self._producer, self._topic, self._timeout_s = producer, topic, timeout_s
        self._waiting: list[list[tuple[int, bytes]]] = []
        self._changed = threading.Condition()
        self._busy = self._closing = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="inference-results", daemon=True)
        self._thread.start()

    def write(self, records: Sequence[tuple[int, bytes]]) -> None:
        """Queue records, each with its partition; they become visible together. Waits while too much is queued. Raises
        what has ended the writer."""
        with self._changed:
            self._wait_until(lambda: len(self._waiting) < _MAX_WAITING)
            self._waiting.append(list(records))
            self._changed.notify_all()

    def settle(self) -> None:
        """Wait until all that was queued is committed. Raises what has ended the writer."""
        with self._changed:
            self._wait_until(lambda: not self._waiting and not self._busy)

    def close(self) -> None:
        """End the thread; what is not committed is aborted by whoever comes next."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(self._timeout_s)

    def _wait_until(self, reached: Callable[[], bool]) -> None:
        self._changed.wait_for(lambda: self._error is not None or reached())
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._closing or self._waiting)
                    if self._closing:
                        return
                    batches, self._waiting, self._busy = self._waiting, [], True
                    self._changed.notify_all()
                self._commit([record for batch in batches for record in batch])
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _commit(self, records: Sequence[tuple[int, bytes]]) -> None:
        self._producer.begin_transaction()
        for partition, record in records:
            self._producer.produce(self._topic, record, partition=partition)
        # Delivers what is queued, and fails if one record was not delivered.
        persist(lambda: self._producer.commit_transaction(self._timeout_s), self._timeout_s)
