"""The process of a job: what it is told and when it ends, and how it starts its job again, in its own place."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fluvial.wire.records import LeaseCause
from pipelines import main, running
from pipelines.flink import full_disk, gateway
from pipelines.leases.endings import Start


def test_a_job_whose_log_is_on_a_full_disk_starts_again_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[object] = []

    def executed(_: str, command: Sequence[str]) -> None:
        order.append((command[0], command[-2:]))

    def wait(folders: Sequence[Path], **_: Callable[[float], None]) -> None:
        order.append(list(folders))

    monkeypatch.setattr(running, "wait_for_room", wait)
    monkeypatch.setattr(gateway, "end", lambda: order.append("gateway ended"))
    monkeypatch.setattr(os, "execv", executed)
    monkeypatch.setenv(running._START, "")
    monkeypatch.chdir(tmp_path)
    start = Start(cause=LeaseCause.FAILED, epoch=3)
    with Path("/dev/full").open("w") as full:
        for name in ("stdout", "stderr"):
            file = io.FileIO(full.fileno(), "w", closefd=False)
            monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(file)))
        full_disk.drop_what_finds_no_room()
        running._start_again(start, "no room for a checkpoint", tmp_path / "checkpoints", ["--stages", "audit"])
    assert order == ["gateway ended", [tmp_path, tmp_path / "checkpoints"], (sys.executable, ["--stages", "audit"])]
    assert Start.from_text(os.environ[running._START]) == start


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the process does, in its order."""
    steps: list[object] = []
    monkeypatch.setattr(main, "drop_what_finds_no_room", lambda: None)
    monkeypatch.setattr(gateway, "begin", lambda: steps.append("java begins"))
    monkeypatch.setattr(gateway, "end", lambda: steps.append("java ends"))
    monkeypatch.setattr(running, "get_ready", lambda stages: steps.append(("gets ready", stages)))
    monkeypatch.setattr(running, "run", lambda arguments, words: steps.append((arguments, words)))
    return steps


def run(monkeypatch: pytest.MonkeyPatch, told: str, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["main", *words])
    monkeypatch.setattr(sys, "stdin", io.StringIO(told))
    main.main()


def test_java_begins_before_anything_is_imported_and_imports_do_not_wait_for_settings(
    monkeypatch: pytest.MonkeyPatch, steps: list[object]
) -> None:
    told = json.dumps(["--settings", "a b.json", "--gone", "3", "4"]) + "\n"
    run(monkeypatch, told, "--stages", "validation,audit", "--name", "j", "--told")
    begins, ready, (arguments, words), ends = steps  # type: ignore[misc]
    assert (begins, ready, ends) == ("java begins", ("gets ready", ["validation", "audit"]), "java ends")
    assert (arguments.settings, arguments.gone, arguments.stages) == (Path("a b.json"), [3, 4], "validation,audit")
    assert "--told" not in words, "a job that starts again is not told a second time"
    assert main._parser().parse_args(words) == arguments


@pytest.mark.parametrize("told", ["", '["--settings", "half a li'], ids=["nothing", "half a line"])
def test_where_nothing_is_told_there_is_no_job_and_the_process_ends(
    monkeypatch: pytest.MonkeyPatch, steps: list[object], told: str
) -> None:
    run(monkeypatch, told, "--stages", "audit", "--name", "j", "--told")
    assert steps == ["java begins", ("gets ready", ["audit"]), "java ends"]


def test_who_tells_no_settings_is_told_so(monkeypatch: pytest.MonkeyPatch, steps: list[object]) -> None:
    for words in (("--told",), ()):
        with pytest.raises(SystemExit, match=r"^error: --settings FILE is needed"):
            run(monkeypatch, "[]\n", "--stages", "audit", "--name", "j", *words)
    assert steps.count("java ends") == 2
