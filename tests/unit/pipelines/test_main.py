"""How a local job's process starts its job again, in its own place."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fluvial.wire.records import LeaseCause
from pipelines import main
from pipelines.flink import full_disk
from pipelines.leases.endings import Start


def test_a_job_whose_log_is_on_a_full_disk_starts_again_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[object] = []

    def executed(_: str, command: Sequence[str]) -> None:
        order.append(command[0])

    def wait(folders: Sequence[Path], **_: Callable[[float], None]) -> None:
        order.append(list(folders))

    monkeypatch.setattr(main, "wait_for_room", wait)
    monkeypatch.setattr(main, "end_gateway", lambda: order.append("gateway ended"))
    monkeypatch.setattr(os, "execv", executed)
    monkeypatch.setenv(main._START, "")
    monkeypatch.chdir(tmp_path)
    start = Start(cause=LeaseCause.FAILED, epoch=3)
    with Path("/dev/full").open("w") as full:
        for name in ("stdout", "stderr"):
            file = io.FileIO(full.fileno(), "w", closefd=False)
            monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(file)))
        full_disk.drop_what_finds_no_room()
        main._start_again(start, "no room for a checkpoint", tmp_path / "checkpoints")
    assert order == ["gateway ended", [tmp_path, tmp_path / "checkpoints"], sys.executable]
    assert Start.from_text(os.environ[main._START]) == start
