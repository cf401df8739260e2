"""The process of a job is started before it is known what it is to do, told later, and ended whenever that is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.federation.directory import DataDirectory
from deploy.jobs import job_process
from deploy.jobs.job_process import JobProcess
from deploy.jobs.submission import LocalJob, Submission
from deploy.machine.errors import StackError
from deploy.machine.processes import spawn
from tests.unit.deploy.jobs.test_submission import directory_with_federation

SAYS_WHAT_IT_IS_TOLD = "import sys; print('begun', flush=True); print('told', sys.stdin.readline(), end='')"
AUDIT = Submission(stages=("audit",))


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What runs in the place of `pipelines.main`."""
    code = [SAYS_WHAT_IT_IS_TOLD]

    def spawned(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        assert command[:3] == [sys.executable, "-m", "pipelines.main"]
        assert command[-1] == "--told"
        return spawn([sys.executable, "-c", *code], **options)

    monkeypatch.setattr(job_process, "spawn", spawned)
    return code


def started(folder: Path) -> JobProcess:
    return JobProcess(AUDIT.arguments(), log=folder / "job.log", environment=os.environ, folder=folder)


def test_it_does_what_it_is_told_whatever_the_words_hold(tmp_path: Path, code: list[str]) -> None:
    process = started(tmp_path)
    assert process.pid is not None
    process.tell(["--settings", "été\n b.json"])
    assert process.wait(20.0) == 0
    assert process.pid is None
    assert (tmp_path / "job.log").read_text() == 'begun\ntold ["--settings", "\\u00e9t\\u00e9\\n b.json"]\n'
    process.stop()


def test_who_is_never_told_ends_by_itself_when_nobody_is_left_who_could(tmp_path: Path, code: list[str]) -> None:
    process = started(tmp_path)
    process._close()
    assert process.wait(20.0) == 0
    assert (tmp_path / "job.log").read_text() == "begun\ntold "


def test_what_ends_before_it_is_told_is_no_error_for_who_tells(tmp_path: Path, code: list[str]) -> None:
    code[:] = ["raise SystemExit('error: no')"]
    process = started(tmp_path)
    assert process.wait(20.0) == 1
    process.tell(["--settings", "x" * 100_000])
    process.stop()


def test_it_is_stopped_and_killed_while_it_waits(tmp_path: Path, code: list[str]) -> None:
    process = started(tmp_path)
    process.stop()
    assert process.wait(0.0) == -signal.SIGTERM
    process = started(tmp_path)
    process.kill()
    assert process.wait(0.0) == -signal.SIGKILL


def test_a_job_that_was_begun_and_never_started_leaves_nothing(tmp_path: Path, code: list[str]) -> None:
    directory = DataDirectory(tmp_path)
    job = LocalJob(directory, AUDIT)
    job.begin()  # before there is a federation
    assert job.pid is not None
    with pytest.raises(StackError, match="runs already"):
        LocalJob(directory, AUDIT).begin()
    job.stop()
    assert job.pid is None
    job.begin()
    job.stop()


def test_a_job_that_cannot_be_started_does_not_go_on_waiting(
    tmp_path: Path, code: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = LocalJob(directory_with_federation(tmp_path), AUDIT)
    job.begin()
    monkeypatch.setattr("deploy.jobs.submission.arguments_for", lambda *_, **__: pytest.fail("a second writer"))
    with pytest.raises(pytest.fail.Exception, match="a second writer"):
        job.start()
    assert job.pid is None


def test_settings_are_written_when_the_job_starts_and_not_before(
    tmp_path: Path, code: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = directory_with_federation(tmp_path)
    monkeypatch.setattr("deploy.jobs.submission.arguments_for", lambda *_, **__: ["--gone", "3"])
    job = LocalJob(directory, AUDIT)
    job.begin()
    assert not (directory.jobs / "audit.json").exists()
    job.start()
    assert job.wait() == 0
    assert f'told ["--settings", "{directory.jobs / "audit.json"}", "--gone", "3"]' in job.log.read_text()
    job.stop()


def test_a_signal_while_it_is_spawned_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Postponed, it arrives before anybody has the process in hand."""
    spawned: list[subprocess.Popen[bytes]] = []

    @contextmanager
    def postponed() -> Iterator[None]:
        yield
        raise KeyboardInterrupt

    def spawn_and_keep(_: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        spawned.append(spawn([sys.executable, "-c", SAYS_WHAT_IT_IS_TOLD], **options))
        return spawned[0]

    monkeypatch.setattr(job_process, "postponed", postponed)
    monkeypatch.setattr(job_process, "spawn", spawn_and_keep)
    with pytest.raises(KeyboardInterrupt):
        started(tmp_path)
    assert spawned[0].wait(0.0) == -signal.SIGTERM


def test_a_job_that_runs_is_not_started_once_more(
    tmp_path: Path, code: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code[:] = ["import time; time.sleep(60)"]
    monkeypatch.setattr("deploy.jobs.submission.arguments_for", lambda *_, **__: [])
    job = LocalJob(directory_with_federation(tmp_path), AUDIT)
    job.start()
    with pytest.raises(StackError, match="runs already"):
        job.start()
    assert job.pid is not None
    job.stop()
