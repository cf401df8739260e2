"""What a job's operators share in a TaskManager ends when the job is cancelled, or starts again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import Producer

from pipelines.config import Settings
from pipelines.flink.environment import stream_environment
from pipelines.flink.graph import BYTES, Graph
from pipelines.flink.taking import take_stages
from tests.engine.sharing import POISON, Share
from tests.engine.test_adapters import read

pytestmark = [pytest.mark.engine, pytest.mark.system, pytest.mark.timeout(180)]

STAGES = ["validation"]


@contextmanager
def running(settings: Settings, name: str, **changes: Any) -> Iterator[Settings]:
    """A job of two subtasks that tells for each record what its process has. All such jobs run in the JVM of the test,
    and so in one interpreter, as in a session's TaskManager."""
    settings = settings.model_copy(update={"submission": name, "parallelism": 2, **changes})
    environment = stream_environment(settings, name)
    settings = take_stages(settings, name, STAGES, take_over=True)
    graph = Graph(environment, settings, name, STAGES)
    graph.emit(graph.source("updates").process(Share(settings), BYTES))
    graph.finish()
    client = environment.execute_async(name)
    try:
        yield settings
    finally:
        client.cancel().result()


def publish(settings: Settings, value: bytes) -> None:
    producer = Producer(settings.brokers.librdkafka())
    producer.produce(settings.topics.updates, value, b"key", partition=0)
    assert producer.flush(20) == 0


def told(settings: Settings, count: int) -> dict[str, Any]:
    """What the last of `count` records tells."""
    found: dict[str, Any] = json.loads(read(settings, [settings.topics.verdicts], count)[-1].value() or b"")
    return found


def test_a_cancelled_job_leaves_nothing_in_its_process_for_the_next(settings: Settings) -> None:
    publish(settings, b"x")
    for number, name in enumerate(("one", "two"), 1):
        with running(settings, name):
            found = told(settings, number)
        time.sleep(3.0)  # the job's tasks end after that
        assert found == {"attempts": [[name, 0]], "threads": [f"of {name} 0"], "written": [0]}


def test_a_job_that_starts_again_in_a_process_has_nothing_of_its_former_attempt(settings: Settings) -> None:
    publish(settings, b"x")
    with running(settings, "again", restart_attempts=3):
        assert told(settings, 1)["attempts"] == [["again", 0]]
        publish(settings, POISON)
        assert told(settings, 2) == {"attempts": [["again", 1]], "threads": ["of again 1"], "written": [0]}
