"""The terms of batching reach the gatherer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.records import Task, TaskStatus
from pipelines.flink.frames import SourceRecord
from pipelines.inference import job
from pipelines.inference.gathering import Gathering, gathering, tasks_of
from tests.unit.pipelines.inference.test_serving import SPECIFICATION
from tests.unit.pipelines.promotion.builders import SPEC
from tests.unit.pipelines.test_jobs import NotingGraph, Stream
from tests.unit.pipelines.validation.stage import OPERATOR, SETTINGS


def a_task(name: str = "credit", status: TaskStatus = TaskStatus.RUNNING, **batching: Any) -> Task:
    spec = {**SPEC.model_dump(mode="json"), "batching": batching}
    return Task(
        task=name,
        specification=json.dumps({**SPECIFICATION, "task": name, "acceleration": spec}),
        layout=(),
        base_version=0,
        base_digest=bytes(32),
        base_chunks=(),
        created_ms=1,
        status=status,
    )


def records(*tasks: Task, key: SigningKey = OPERATOR) -> list[SourceRecord]:
    return [
        SourceRecord(0, offset, 1, f"task/{task.task}".encode(), seal(task, key, "operator"))
        for offset, task in enumerate(tasks)
    ]


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ([], Gathering(64, 2, 5_000)),
        ([a_task(max_batch=8, max_delay_ms=25)], Gathering(8, 25, 5_000)),
        (
            [a_task(max_batch=8, max_delay_ms=25), a_task("other", max_batch=256, max_delay_ms=5)],
            Gathering(256, 5, 5_000),
        ),
        ([a_task(max_delay_ms=0)], Gathering(64, 0, 5_000)),
        ([a_task(max_batch=8, status=TaskStatus.REMOVED)], Gathering(64, 2, 5_000)),
    ],
)
def test_nobody_waits_longer_than_its_task_says(tasks: list[Task], expected: Gathering) -> None:
    assert gathering(tasks) == expected


def test_the_gatherer_has_the_terms_of_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    forged = records(a_task(max_batch=1), key=SigningKey.from_seed(bytes([77]) * 32))
    found = [*records(a_task(max_batch=512, max_delay_ms=11)), *forged]
    monkeypatch.setattr(job.log_reader, "read_to_end", lambda *_: found)
    monkeypatch.setattr(job.log_reader, "offsets_at", lambda *_: {0: 7})
    asked: dict[str, Any] = {}

    class Graph(NotingGraph):
        def bundled_source(self, topic: str, **limits: Any) -> Stream:
            asked.update(limits)
            return Stream(self.functions)

    job.attach(Graph())  # type: ignore[arg-type]
    lanes = SETTINGS.parallelism
    limits = {"max_records": 512 * lanes, "max_delay_ms": 11, "for_answers": True}
    assert asked == {**limits, "num_lanes": lanes, "start": {0: 7}}


def test_a_tombstone_which_nobody_signs_takes_no_tasks_terms_away() -> None:
    tombstone = SourceRecord(0, 9, 1, b"task/credit", b"")
    keys = bytes.fromhex(SETTINGS.operator_key), bytes.fromhex(SETTINGS.registrar_key)
    assert [task.task for task in tasks_of([*records(a_task()), tombstone], *keys)] == ["credit"]
