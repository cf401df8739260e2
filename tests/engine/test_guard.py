"""A record that an operator cannot handle is set aside, and all others are handled once, as if it had never come."""

from __future__ import annotations

import pytest
from confluent_kafka import Message, Producer

from fluvial.wire.framing import decode
from fluvial.wire.records import AuditEvent, Failure, SetAside
from pipelines.config import Settings
from pipelines.flink.environment import stream_environment
from pipelines.flink.graph import BYTES, Graph
from pipelines.flink.guard import Form, guarded
from pipelines.flink.taking import take_stages
from tests.engine.raising import POISON, CountButRaise
from tests.engine.test_adapters import read

pytestmark = [pytest.mark.engine, pytest.mark.system, pytest.mark.timeout(180)]

RECORDS = 200
POISONED = (60, 61, 150)


def publish(settings: Settings) -> dict[bytes, bytes]:
    """Records of one key, three of them poison; place to value."""
    places: dict[bytes, bytes] = {}

    def delivered(error: object, message: Message) -> None:
        assert error is None
        places[f"{message.partition()}@{message.offset()}".encode()] = message.value()

    producer = Producer(settings.brokers.librdkafka())
    for number in range(RECORDS):
        value = POISON if number in POISONED else f"record {number}".encode()
        producer.produce(settings.topics.updates, value, b"alice", partition=0, on_delivery=delivered)
    assert producer.flush(20) == 0
    return places


def test_a_record_that_an_operator_raises_on_is_set_aside_and_leaves_no_trace(settings: Settings) -> None:
    published = publish(settings)
    settings = settings.model_copy(update={"restart_attempts": 20, "submission": "one"})
    topics = settings.topics
    environment = stream_environment(settings, "guard")
    settings = take_stages(settings, "guard", ["validation"])
    graph = Graph(environment, settings, "guard", ["validation"])
    operator = guarded(CountButRaise(topics.verdicts), "count", settings, Form.BUNDLE)
    graph.emit(graph.bundled_source("updates").process(operator, BYTES))
    graph.finish()
    client = environment.execute_async("guard")
    try:
        messages = read(settings, [topics.verdicts], RECORDS)
    finally:
        client.cancel().result()

    found = {dict(message.headers())["place"]: message for message in messages}
    assert len(messages) == len(found), "a record came twice"
    assert found.keys() == published.keys()
    aside = {place for place, value in published.items() if value == POISON}
    assert {place for place, message in found.items() if message.value() == b"set aside"} == aside
    numbers = [int(dict(message.headers())["number"]) for place, message in found.items() if place not in aside]
    assert numbers == list(range(1, RECORDS - len(POISONED) + 1)), "the state keeps nothing of a call that failed"

    kept = read(settings, [topics.quarantine], len(aside))
    assert {(message.key(), message.value()) for message in kept} == {(b"count/" + place, POISON) for place in aside}
    assert all(b"what it cannot stand" in dict(message.headers())["traceback"] for message in kept)
    events = [decode(message.value(), AuditEvent) for message in read(settings, [topics.events], len(aside))]
    assert {decode(event.data, SetAside).item.encode() for event in events} == aside
    failures = [decode(message.value(), Failure) for message in read(settings, [topics.failures], 1)]
    raised = [failure for failure in failures if not failure.set_aside]
    assert len(raised) <= 2 * len(POISONED), "the job was started again more often than it had to be"
