"""Jobs without checkpoints: which are told of, and the reason."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.federation.directory import DataDirectory
from deploy.jobs.holders import Holder
from deploy.jobs.stalls import STALLED_AFTER_MS, stalls
from pipelines.leases.liveness import GONE_AFTER_MS

NOW_MS = 1_800_000_000_000
LONG_AGO_MS = NOW_MS - STALLED_AFTER_MS


def holder(job: str = "gate", host: str = "", since_ms: int = LONG_AGO_MS, heard_ms: int = NOW_MS) -> Holder:
    host = host or socket.gethostname()
    return Holder(epoch=1, stages=("audit",), job=job, host=host, cause="FREE", since_ms=since_ms, heard_ms=heard_ms)


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    """With a job `gate` that was submitted from it."""
    found = DataDirectory(tmp_path)
    found.jobs.mkdir()
    (found.jobs / "gate.json").write_text("{}")
    (found.checkpoints / "gate").mkdir(parents=True)
    return found


@contextmanager
def no_room() -> Iterator[None]:
    """As on a disk that is full."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


def complete(directory: DataDirectory, number: int, at_ms: int) -> None:
    metadata = directory.checkpoints / "gate" / "run" / f"chk-{number}" / "_metadata"
    metadata.parent.mkdir(parents=True)
    metadata.write_bytes(b"state")
    os.utime(metadata, (at_ms / 1000, at_ms / 1000))


def test_a_job_is_told_of_when_its_newest_checkpoint_is_old(directory: DataDirectory) -> None:
    complete(directory, 1, LONG_AGO_MS - 10_000)
    complete(directory, 2, LONG_AGO_MS)
    (found,) = stalls(directory, [holder(since_ms=LONG_AGO_MS - 99_000)], NOW_MS)
    assert (found.job, found.seconds) == ("gate", STALLED_AFTER_MS / 1000)
    assert found.reason == f"{directory.checkpoints / 'gate'} takes files: see the job's log"
    complete(directory, 3, LONG_AGO_MS + 1)
    assert stalls(directory, [holder(since_ms=LONG_AGO_MS - 99_000)], NOW_MS) == []


def test_a_job_that_has_just_begun_or_runs_elsewhere_is_not_told_of(directory: DataDirectory) -> None:
    others = [holder(since_ms=LONG_AGO_MS + 1), holder(host="elsewhere"), holder(job="of-another-directory")]
    assert stalls(directory, others, NOW_MS) == []
    assert len(stalls(directory, [holder()], NOW_MS)) == 1


def test_a_job_that_has_ended_is_told_of_only_where_there_is_no_room(directory: DataDirectory) -> None:
    ended = holder(heard_ms=NOW_MS - GONE_AFTER_MS)
    with no_room():
        (found,) = stalls(directory, [ended], NOW_MS)
    assert found.reason == f"File too large: {directory.checkpoints / 'gate'}"
    assert stalls(directory, [ended], NOW_MS) == []


def test_a_folder_that_is_gone_or_is_none_is_the_reason(directory: DataDirectory) -> None:
    folder = directory.checkpoints / "gate"
    folder.rmdir()
    (found,) = stalls(directory, [holder()], NOW_MS)
    assert found.reason == f"No such file or directory: {folder}"
    folder.write_text("in its place")
    (found,) = stalls(directory, [holder()], NOW_MS)
    assert found.reason == f"Not a directory: {folder}"


def test_a_checkpoint_that_is_deleted_meanwhile_is_passed_over(directory: DataDirectory) -> None:
    complete(directory, 1, LONG_AGO_MS)
    gone = directory.checkpoints / "gate" / "run" / "chk-2" / "_metadata"
    gone.parent.mkdir()
    gone.symlink_to(directory.root / "nowhere")  # named by its folder, and not there
    assert [stall.seconds for stall in stalls(directory, [holder(since_ms=0)], NOW_MS)] == [STALLED_AFTER_MS / 1000]
