"""Producers beside the sink, under the job's lease as the sink is (`org.fluvial.flink.LeasedWriter`).

A producer gets its epoch, then looks at the lease, then writes in transactions. If it got the epoch before the job was
taken over, the take-over has fenced it; if after, it has seen the lease.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaException, Producer

from fluvial.kafka.librdkafka import clients
from pipelines.config import Settings
from pipelines.flink.leases import check_still_held


def leased_producer(settings: Settings, writer: str, config: dict[str, Any], *, timeout_s: float) -> Producer:
    """A transactional producer. writer: its name in the job; a new producer of the same name fences the one before.

    Raises LeaseLost when another job holds the stages, KafkaException when the broker does not answer in time.
    """
    holding = settings.held()
    producer = clients.transactional_producer(
        settings.brokers,
        "fluvial-writer",
        holding.transactional_id(settings.topic_prefix, writer),
        timeout_ms=settings.transaction_timeout_ms,
        delivery_ms=int(timeout_s * 1000),
        settings=config,
    )
    clients.meet(producer, settings.topics.leases)
    persist(lambda: producer.init_transactions(timeout_s), timeout_s)
    check_still_held(settings.brokers, settings.topics, bytes.fromhex(settings.aggregator_key), holding)
    return producer


def serve(call: Callable[[float], object], timeout_s: float) -> None:
    """A producer's `flush` or `poll`. When it learns that it was fenced, confluent-kafka 2 raises in the midst of the
    callbacks that these call, a SystemError at worst; the next step of the transaction says it in order."""
    with contextlib.suppress(KafkaException, SystemError):
        call(timeout_s)


def persist(call: Callable[[], None], timeout_s: float) -> None:
    """A step of a transaction, again while the broker may still take it. Raises KafkaException."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            call()
            return
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > deadline:
                raise
