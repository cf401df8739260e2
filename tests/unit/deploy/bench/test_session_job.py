"""A session cluster's job, as the benchmarks watch it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from deploy.bench import envelopes
from deploy.bench.session_job import SessionJob
from deploy.jobs.submission import Submission


def test_a_job_has_a_process_until_it_has_ended() -> None:
    states, cancelled = ["RUNNING", "RESTARTING", "FAILED"], []
    rest: Any = SimpleNamespace(job_state=lambda _: states.pop(0), cancel=cancelled.append)
    job = SessionJob(rest, "0af1", 42, Path("job.log"))
    assert [job.pid for _ in range(3)] == [42, 42, None]
    job.stop()
    assert cancelled == ["0af1"]


def test_the_operators_of_all_task_managers_are_watched(monkeypatch: Any) -> None:
    cluster = SimpleNamespace(job_manager_pid=1, task_manager_pids=[2, 3])
    stack: Any = SimpleNamespace(cluster=cluster, directory=Path())
    watched: list[tuple[str, int]] = []
    usage: Any = SimpleNamespace(watch=lambda *of: watched.append(of))
    running = SessionJob(SimpleNamespace(), "0af1", 1, Path("job.log"))  # type: ignore[arg-type]
    monkeypatch.setattr(SessionJob, "submit", lambda *_: running)
    submission = Submission(stages=("validation",), name="bench", parallelism=2)
    assert envelopes.start(stack, submission, usage) is running
    assert watched == [("job-manager", 1), ("operators", 2), ("operators", 3)]
