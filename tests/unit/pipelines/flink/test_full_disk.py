"""A job on a full disk: nothing that it says there ends it, and it waits for room."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path

import pytest

from pipelines.flink import full_disk
from pipelines.flink.full_disk import DroppingFile, drop_what_finds_no_room, wait_for_room

FULL = Path("/dev/full")
"""Linux's device on which every write fails for want of room."""


def test_what_is_said_where_there_is_no_room_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    with FULL.open("wb", buffering=0) as log:
        for name in ("stdout", "stderr"):
            file = io.FileIO(log.fileno(), "w", closefd=False)
            monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(file)))
        with pytest.raises(OSError, match="No space left"):
            os.write(log.fileno(), b"lost")
        drop_what_finds_no_room()
        print("lease 1 taken", flush=True)
        print("starting again", file=sys.stderr)
        sys.stderr.buffer.write(b"from Java")
        sys.stderr.buffer.flush()


def test_what_is_said_where_there_is_room_is_there_at_once_and_in_order(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    with log.open("wb") as file:
        text = io.TextIOWrapper(io.BufferedWriter(DroppingFile(file.fileno(), "w", closefd=False)), line_buffering=True)
        print("one", file=text)
        assert log.read_text() == "one\n"
        text.buffer.write(b"two\n" * 10_000)
        text.flush()
        assert log.read_text() == "one\n" + "two\n" * 10_000


def test_whose_reader_has_gone_is_told_so() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(BrokenPipeError), DroppingFile(writer, "w") as file:
        file.write(b"to nobody")


def test_a_job_waits_until_there_is_room_in_each_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = {"log": [errno.ENOSPC, errno.EFBIG], "checkpoints": [errno.EDQUOT]}

    def refusal(folder: Path) -> OSError | None:
        left = refusals[folder.name]
        return OSError(left.pop(0), "no room") if left else None

    monkeypatch.setattr(full_disk, "refusal", refusal)
    pauses: list[float] = []
    wait_for_room([tmp_path / "log", tmp_path / "checkpoints"], sleep=pauses.append)
    assert len(pauses) == 3
    assert refusals == {"log": [], "checkpoints": []}


def test_what_no_room_would_help_is_left_to_the_start(tmp_path: Path) -> None:
    wait_for_room([tmp_path, tmp_path / "missing"], sleep=lambda _: pytest.fail("waits for what never comes"))
    assert list(tmp_path.iterdir()) == []
