"""The process of a job: what it is told and when it ends, and how it starts its job again, in its own place."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from fluvial.wire.records import LeaseCause
from pipelines import main, running
from pipelines.audit.recovery import LogContradicted
from pipelines.config import Settings
from pipelines.flink import full_disk, gateway
from pipelines.flink.log_reader import LogRefused, LogUnreadable
from pipelines.leases.endings import Start
from pipelines.leases.holding import Holding


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


class Broker:
    """Stands in for what `running` asks: away at its first calls, and so often again while the graph is built."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, away: int = 0, lost_again: bool = False):
        self.settings = Settings.model_construct(checkpoint_dir=tmp_path)
        self.calls, self.away, self.lost_again = 0, away, lost_again
        self.started_again: list[Start] = []
        holding = Holding(epoch=9, offset=0, stages=("audit",), secret="s" * 16)
        self.taken = self.settings.model_copy(update={"holding": holding})
        monkeypatch.setattr(running, "stream_environment", lambda settings, name: None)
        monkeypatch.setattr(running, "take_stages", self.take)
        monkeypatch.setattr(running, "stages_named", lambda names: {"audit": SimpleNamespace(module="pipelines.main")})
        monkeypatch.setattr(running, "Graph", lambda *_: SimpleNamespace(finish=self.finish))
        monkeypatch.setattr(main, "attach", lambda graph: None, raising=False)
        monkeypatch.setattr(running, "execute", lambda environment, name: None)
        monkeypatch.setattr(running.time, "sleep", lambda seconds: None)
        monkeypatch.setattr(running, "_start_again", self.start_again)

    def take(self, settings: Settings, *_: object, **__: object) -> Settings:
        self.calls += 1
        if self.calls <= self.away:
            raise LogUnreadable("f.leases: nobody answers")
        return self.taken

    def finish(self) -> None:
        if self.lost_again:
            raise LogUnreadable("f.verdicts: nobody answers")

    def start_again(self, start: Start, *_: object) -> NoReturn:
        self.started_again.append(start)
        raise SystemExit

    def run(self, start: Start) -> None:
        arguments = main._parser().parse_args(["--stages", "audit", "--name", "j"])
        running._run(self.settings, arguments, start, [])


AGAIN = Start(cause=LeaseCause.FAILED, epoch=3, times=1)


def test_a_job_that_starts_again_waits_for_the_broker_and_the_first_start_says_that_it_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broker = Broker(tmp_path, monkeypatch, away=5)
    broker.run(AGAIN)
    assert broker.calls == 6
    assert capsys.readouterr().err == "waiting for the broker: f.leases: nobody answers\n", "told once"
    with pytest.raises(SystemExit, match=r"^error: f\.leases: nobody answers"):
        Broker(tmp_path, monkeypatch, away=1).run(Start())


def test_a_broker_that_says_something_else_is_told_of_again_and_one_that_refuses_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    says = [
        LogUnreadable("nobody answers"),
        LogUnreadable("too slow"),
        LogUnreadable("too slow"),
        LogRefused("no right"),
    ]

    def take(*_: object, **__: object) -> NoReturn:
        raise says.pop(0)

    broker = Broker(tmp_path, monkeypatch)
    monkeypatch.setattr(running, "take_stages", take)
    with pytest.raises(SystemExit, match=r"^error: no right"):
        broker.run(AGAIN)
    told = "waiting for the broker: "
    assert capsys.readouterr().err.splitlines() == [f"{told}nobody answers", f"{told}too slow"]


def test_a_broker_that_is_lost_again_while_the_graph_is_built_costs_no_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Broker(tmp_path, monkeypatch, lost_again=True)
    with pytest.raises(SystemExit):
        broker.run(AGAIN)
    assert broker.started_again == [replace(AGAIN, epoch=9, unbuilt=1)], "the lease that it has taken is gone with it"
    with pytest.raises(SystemExit, match=r"^error: f\.verdicts: nobody answers"):
        broker.run(Start())


def test_a_log_that_contradicts_itself_is_nothing_to_wait_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def finish() -> None:
        raise LogContradicted("7 leaves were signed, but the log holds 6")

    broker = Broker(tmp_path, monkeypatch)
    monkeypatch.setattr(running, "Graph", lambda *_: SimpleNamespace(finish=finish))
    with pytest.raises(SystemExit, match=r"^error: 7 leaves were signed"):
        broker.run(AGAIN)
