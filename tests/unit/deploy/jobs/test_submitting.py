"""What a submission that was cut short leaves behind, and who replaces a job of its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.cluster.rest import Job
from deploy.federation.directory import DataDirectory
from deploy.jobs import submission as module
from deploy.jobs.submission import Submission, submit_to_session
from deploy.jobs.submitting import submitting, was_cut_short
from deploy.machine.errors import StackError
from tests.unit.deploy.jobs.test_submission import directory_with_federation

AUDIT = Submission(stages=("audit",))


class Cluster:
    """A session cluster with jobs by id."""

    def __init__(self, **names: str) -> None:
        self.names, self.cancelled = dict(names), set[str]()

    def jobs(self) -> list[Job]:
        states = {job_id: "CANCELED" if job_id in self.cancelled else "RUNNING" for job_id in self.names}
        return [Job(job_id=i, name=name, state=states[i], duration_ms=0) for i, name in self.names.items()]

    def cancel(self, job_id: str) -> None:
        self.cancelled.add(job_id)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDirectory:
    directory = directory_with_federation(tmp_path)
    monkeypatch.setattr(DataDirectory, "running", lambda self: type("", (), {"rest_url": "http://cluster"})())
    return directory


def on(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RestClient", lambda url: cluster)


def test_while_a_job_is_submitted_nobody_else_submits_it_and_afterwards_nobody_is_about_it(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    assert not was_cut_short(directory, "audit")
    with submitting(directory, "audit") as before:
        assert not before
        assert not was_cut_short(directory, "audit")
        with pytest.raises(StackError, match="by another command"), submitting(directory, "audit"):
            pass
    assert was_cut_short(directory, "audit")
    with submitting(directory, "audit") as before:
        assert before


def test_a_job_of_the_name_is_replaced_only_by_who_takes_over_and_is_told_how(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(Cluster(a="audit", b="other"), monkeypatch)
    with pytest.raises(StackError, match="--take-over ends it and starts it again"):
        submit_to_session(directory, AUDIT)
    monkeypatch.setattr(module, "_submit", lambda *_, replaced, cut_short: ",".join(replaced))
    assert submit_to_session(directory, Submission(stages=("audit",), take_over=True)) == "a"


def test_an_interrupted_submission_leaves_no_job_behind_and_touches_no_other(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(a="audit", b="other")
    on(cluster, monkeypatch)

    def interrupted(*_: Any, **__: Any) -> str:
        cluster.names["c"] = "audit"
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        submit_to_session(directory, Submission(stages=("audit",), take_over=True))
    assert cluster.cancelled == {"c"}
    assert was_cut_short(directory, "audit")
