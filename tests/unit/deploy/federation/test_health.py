"""What needs a person, as the log tells it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from deploy.commands.status_page import _findings
from deploy.federation.health import Health
from fluvial.wire.records import (
    Metric,
    PublishedModel,
    Release,
    RoundEvent,
    RoundTransition,
    SetAside,
    Task,
    TaskStatus,
)
from fluvial.wire.task_file import TaskFile
from fluvial.wire.topics import Topics
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.frames import SourceRecord, parse_sink

PNEUMONIA = Path(__file__).resolve().parents[4] / "deploy" / "tasks" / "pneumonia" / "task.yaml"

MODEL = PublishedModel(
    task="heart",
    version=1,
    round=1,
    attempt=1,
    model_digest=bytes(32),
    manifest_sha256=bytes(32),
    num_selected=1,
    num_contributions=1,
)


def health(*events: Any, status: TaskStatus = TaskStatus.RUNNING, reason: str = "", specification: str = "") -> Health:
    task = Task(
        task="heart",
        specification=specification,
        layout=(),
        base_version=0,
        base_digest=b"",
        base_chunks=(),
        created_ms=1,
        status=status,
        reason=reason,
    )
    found = Health()
    found.take_tasks([task])
    frames = [parse_sink(audit_frame(Topics(), event, 5)).value or b"" for event in events]
    found.take_events(SourceRecord(0, offset, 5, b"", value) for offset, value in enumerate([b"junk", *frames]))
    return found


def happened(transition: str, attempt: int = 1, reason: str = "") -> RoundEvent:
    return RoundEvent(
        task="heart",
        round=1,
        attempt=attempt,
        transition=RoundTransition(transition),
        num_updates=0,
        base_version=0,
        reason=reason,
    )


def told(found: Health) -> list[str]:
    aside = {name: {"count": count, "error": found.last_error[name]} for name, count in found.set_aside.items()}
    tasks = [{**asdict(task), "jobs_without_package": {}} for task in found.tasks.values()]
    return list(
        _findings(
            {"tasks": tasks, "set_aside": aside, "quarantined": dict(found.quarantined), "holders": [], "stalled": []}
        )
    )


def test_a_task_that_keeps_failing_says_how_often_and_why() -> None:
    failing = health(happened("OPENED"), happened("FAILED", reason="few"), happened("FAILED", 2, "a chunk is gone"))
    assert told(failing) == ["task heart has failed 2 times by round 1, attempt 2, last: a chunk is gone"]


def test_a_model_ends_the_count_of_failures() -> None:
    assert told(health(happened("FAILED", reason="few"), MODEL)) == []


def test_a_paused_task_says_why_and_whether_its_round_is_open() -> None:
    paused = health(happened("OPENED"), status=TaskStatus.PAUSED, reason="wrong labels")
    assert told(paused) == ["task heart is paused when its open round is over: wrong labels"]
    assert told(health(happened("PAUSED"), status=TaskStatus.PAUSED)) == ["task heart is paused"]


def test_what_was_set_aside_is_counted_once_by_operator() -> None:
    aside = SetAside(operator="validate", item="0@7", item_sha256=bytes(32), error="KeyError")
    assert told(health(aside, aside)) == ["1 records were set aside by validate, last: KeyError (topic quarantine)"]


def test_quarantine_is_counted_by_reason() -> None:
    found = health()
    headers = [(("reason", reason),) for reason in (b"NON_FINITE", b"RAISED", b"NON_FINITE")]
    found.take_quarantine(SourceRecord(0, n, 1, b"", b"", each) for n, each in enumerate(headers))
    assert told(found) == ["in quarantine: 2 NON_FINITE, 1 RAISED"]


def a_release(version: int, reason: str, *, again: bool = False) -> Release:
    metrics = () if reason else (Metric(name="auc", value=0.5),)
    return Release(
        task="heart", version=version, model_digest=bytes(32), metrics=metrics, num_examples=0, device="",
        duration_ms=0, reason=reason, again=again,
    )  # fmt: skip


def test_models_that_were_not_measured_are_told_until_a_later_submission_has_measured_them() -> None:
    first = [a_release(1, "not allowed here"), a_release(2, "still not allowed"), a_release(3, "")]
    (line,) = told(health(*first))
    assert line.startswith("task heart has 2 versions that were not measured, the newest 2: still not allowed; ")
    assert "submitted again" in line
    assert told(health(*first, a_release(1, "", again=True), a_release(2, "", again=True))) == []


def test_a_job_that_was_not_given_the_package_of_a_task_is_told() -> None:
    task = {"task": "churn", "status": "RUNNING", "failed": 0, "unmeasured": {}, "package": "churn"}
    found: dict[str, Any] = {"tasks": [task], "set_aside": {}, "quarantined": {}, "holders": [], "stalled": []}
    task["jobs_without_package"] = {"all": ("evaluation", "acceleration")}
    (line,) = _findings(found)
    assert "the job all was not given: its evaluation and acceleration measures none" in line
    task["status"], task["is_open"], task["reason"] = "REMOVED", False, ""
    assert list(_findings(found)) == ["task churn is removed"]


@pytest.mark.parametrize(
    ("specification", "package"),
    [
        (TaskFile.read(PNEUMONIA).model_dump_json(), "pneumonia"),
        ('{"package": null}', ""),
        ("{}", ""),
        ("", ""),
        ("[]", ""),
        ('{"package": {"name": 1}}', ""),
    ],
)
def test_the_package_of_a_task_is_named_and_of_what_is_no_task_file_none(specification: str, package: str) -> None:
    assert health(specification=specification).tasks["heart"].package == package
