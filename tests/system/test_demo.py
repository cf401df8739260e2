"""`fluvial demo` from the outside: its summary, its exit status, and what it leaves behind, whatever ends it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.system.sockets import listening, reachable_from_elsewhere

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAM = "import typer; from deploy.commands.demo import demo; typer.run(demo)"
COMMAND = [sys.executable, "-c", PROGRAM, "--task", "heart"]
DEMO_SECONDS = 500.0
"""Many times what the task may take: two demos share the machine, and it may be slow."""

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


class Demo:
    """A demo in a process of its own, with a directory for temporary files that nobody else uses."""

    def __init__(self, tmp_path: Path, *arguments: str) -> None:
        self.temporary = tmp_path / "temporary"
        self.temporary.mkdir(parents=True)
        self.output = tmp_path / "output.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*COMMAND, *arguments],
                cwd=CHECKOUT,
                env={**os.environ, "PYTHONPATH": str(CHECKOUT), "TMPDIR": str(self.temporary)},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.seen: dict[int, psutil.Process] = {}

    @property
    def text(self) -> str:
        return self.output.read_text()

    def wait(self) -> int:
        """The exit status. Fails the test when it does not end."""
        self._watch(lambda: self.process.poll() is not None, "end")
        return self.process.returncode

    def wait_for(self, pattern: str) -> None:
        """Until a line matches."""
        self._watch(lambda: re.search(pattern, self.text) is not None or self.process.poll() is not None, pattern)
        assert re.search(pattern, self.text), self.text

    def wait_for_child(self, word: str) -> None:
        """Until a process below the demo has the word in its command line."""

        def is_there() -> bool:
            for process in self._children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    if any(word in part for part in process.cmdline()):
                        return True
            return self.process.poll() is not None

        self._watch(is_there, word)

    def child(self, *words: str) -> psutil.Process:
        """The one process below the demo whose command line has all these words."""
        found = [child for child in self._children() if all(word in " ".join(child.cmdline()) for word in words)]
        (process,) = found
        return process

    def leftovers(self) -> list[str]:
        """Processes that were below the demo and still run, ports that they listen on, files they made."""
        alive = [process for process in self.seen.values() if process.is_running()]
        running = [
            f"{process.pid}: {' '.join(process.cmdline())[:200]}"
            for process in alive
            if process.status() != psutil.STATUS_ZOMBIE
        ]
        # The JVM's own performance data is one folder per user, not per run.
        files = [str(path) for path in self.temporary.iterdir() if not path.name.startswith("hsperfdata")]
        return running + files

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def _watch(self, done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEMO_SECONDS
        while not done():
            self.seen |= {child.pid: child for child in self._children()}
            assert time.monotonic() < deadline, f"no {what} in {DEMO_SECONDS:.0f} s:\n{self.text}"
            time.sleep(0.1)

    def _children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    demos: list[Demo] = []

    def start_demo(*arguments: str) -> Demo:
        demos.append(Demo(tmp_path / f"demo-{len(demos)}", *arguments))
        return demos[-1]

    yield start_demo
    for demo in demos:
        demo.kill()


def test_two_demos_at_the_same_time_do_not_meet_and_the_end_of_one_leaves_the_other_alone(
    start: Callable[..., Demo], tmp_path: Path
) -> None:
    """The whole one by mutual TLS, the other without, and of a task whose code and data are in a package."""
    file = tmp_path / "summary.json"
    whole, interrupted = start("--json", str(file), "--secure"), start("--task", "engines")
    interrupted.wait_for(r"round 1 done: .*rmse \d")
    for demo in (whole, interrupted):  # brokers, jobs with Flink's ports, participants
        assert listening(demo.process.pid)
        assert reachable_from_elsewhere(demo.process.pid) == {}
    interrupted.process.send_signal(signal.SIGINT)
    interrupted.process.send_signal(signal.SIGINT)  # an impatient user's second one must not stop the clean-up
    assert interrupted.wait() == 130, interrupted.text
    assert "interrupted while running the rounds" in interrupted.text
    assert "Traceback" not in interrupted.text
    assert interrupted.leftovers() == []

    assert whole.wait() == 0, whole.text
    assert whole.leftovers() == []
    summary = json.loads(file.read_text())
    check_the_numbers(summary)
    check_the_outcomes(summary)


def check_the_numbers(summary: dict[str, Any]) -> None:
    assert summary["task"] == "heart"
    assert len(summary["rounds"]) >= 5
    assert [row["round"] for row in summary["rounds"]] == list(range(1, len(summary["rounds"]) + 1))
    assert all(row["accepted"] >= 1 and row["loss"] > 0 for row in summary["rounds"])
    for metric in ("accuracy", "auc"):
        assert summary["rounds"][-1][metric] >= summary["central"][metric] - 0.03
    for model in ("federated", "central"):
        assert len(summary["groups"][model]) == 4
        assert all(group["attribute"] == "hospital" for group in summary["groups"][model])
    assert summary["replay"] == "bit-exact"
    assert summary["audit"]["verified"] is True
    assert summary["audit"]["size"] > 50
    assert re.fullmatch("[0-9a-f]{64}", summary["audit"]["root"])
    assert summary["seconds"] > 0
    assert summary["megabytes_per_second"] > 0


def check_the_outcomes(summary: dict[str, Any]) -> None:
    outcomes = {participant["role"]: participant["outcome"] for participant in summary["participants"]}
    assert "killed in round 2" in outcomes["disappears in mid-upload"]
    assert "came back and sent" in outcomes["disappears in mid-upload"]
    assert re.search(r"\d+ of \d+ forgeries refused: .*KEY_UNKNOWN.*SIGNATURE", outcomes["forger"])
    assert re.search(r"\d+ of \d+ replays refused", outcomes["replayer"])
    assert re.search(r"left out by the rule|refused", outcomes["poisoner"])
    refused = {reason for row in summary["rounds"] for reason in row["rejected"]}
    assert {"KEY_UNKNOWN", "SIGNATURE"} <= refused


def test_a_variant_that_harms_a_group_is_held_and_others_are_promoted_while_another_demo_fails(
    start: Callable[..., Demo], tmp_path: Path
) -> None:
    summary_file, page = tmp_path / "summary.json", tmp_path / "variants.html"
    demo = start("--task", "credit", "--accelerate", "--json", str(summary_file), "--html", str(page))
    see_a_job_die(start())
    assert demo.wait() == 0, demo.text
    assert demo.leftovers() == []
    summary = json.loads(summary_file.read_text())
    assert summary["requests"]["failed"] == 0
    assert summary["requests"]["releases"][-1]["version"] == len(summary["rounds"])
    variants = {variant["name"]: variant for variant in summary["variants"]}
    assert variants["onnx_fp32"]["verdict"] == variants["int8_static"]["verdict"] == "PROMOTED"
    pruned = variants["pruned_structured"]
    assert pruned["verdict"] == "HELD"
    assert re.fullmatch(
        r"held: pruned_structured loses \d+\.\d points of recall for defaulters .* "
        r"\(\d+ harmed, \d+ helped of \d+\), margin 2\.0",
        pruned["reason"],
    )
    assert pruned["bytes"] < variants["onnx_fp32"]["bytes"] / 3
    assert pruned["reason"] in page.read_text()
    assert summary["decisions"]["admitted"] == len(variants)
    assert summary["decisions"]["decisions"] >= len(variants)
    assert summary["decisions"]["problems"] == []
    assert summary["decisions"]["scored"] >= 4 * len(summary["rounds"])


def see_a_job_die(demo: Demo) -> None:
    """It is reported with the end of its log."""
    demo.wait_for("round 1 open")
    demo.child("pipelines.main", "--stages").kill()
    assert demo.wait() == 1, demo.text
    assert re.search(r"the job's process ended by SIGKILL", demo.text)
    assert "end of " in demo.text
    assert "Traceback" not in demo.text.split("--- end of")[0]
    deadline = time.monotonic() + 60.0
    while demo.leftovers():  # the JVM ends by itself when it misses the process that started it
        assert time.monotonic() < deadline, demo.leftovers()
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("program", "number"),
    [("pipelines.main", signal.SIGINT), ("PythonGatewayServer", signal.SIGTERM), ("kafka", signal.SIGINT)],
)
def test_ctrl_c_while_everything_is_still_starting(
    start: Callable[..., Demo], program: str, number: signal.Signals
) -> None:
    """The job's process waits for a federation, its Java starts beside it, the broker is not there yet."""
    demo = start()
    demo.wait_for_child(program)
    demo.process.send_signal(number)
    assert demo.wait() == 130, demo.text
    assert "interrupted while starting" in demo.text
    assert "Traceback" not in demo.text
    assert demo.leftovers() == []


def test_a_directory_that_is_not_empty_is_refused(start: Callable[..., Demo], tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("precious")
    demo = start("--data-dir", str(tmp_path / "full"))
    assert demo.wait() == 2
    assert "is not empty" in demo.text
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["file"]
