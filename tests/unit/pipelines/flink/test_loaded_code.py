"""A process runs the code of one submission, and says so to others."""

from __future__ import annotations

import os
import signal

import pytest

from pipelines.flink import loaded_code
from pipelines.flink.loaded_code import ONE_JOB, StaleCode, check_loaded_code


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaded_code, "_loaded", [])
    monkeypatch.delenv(ONE_JOB, raising=False)


def test_jobs_of_the_same_code_share_a_process() -> None:
    check_loaded_code("one")
    check_loaded_code("one")
    check_loaded_code("")  # a job whose process is its own


def test_other_code_is_refused_and_what_is_loaded_goes_on() -> None:
    check_loaded_code("one")
    with pytest.raises(StaleCode, match="start its TaskManagers again"):
        check_loaded_code("another")
    check_loaded_code("one")


def test_a_task_manager_without_other_jobs_ends_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    signals: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: signals.append((pid, number)))
    monkeypatch.setenv(ONE_JOB, "1")
    check_loaded_code("one")
    assert signals == []
    with pytest.raises(StaleCode, match="and ends"):
        check_loaded_code("another")
    assert signals == [(os.getpid(), signal.SIGTERM)]
