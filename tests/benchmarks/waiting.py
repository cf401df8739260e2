"""What a user waits for, side by side with another commit: starting, submitting, asking, and the demonstration.

    python -m tests.benchmarks.waiting [--against COMMIT | --checkout FOLDER] [--repeats 2]
        [--demo heart|digits|none] [--output FILE]

Both commits run in the same Python environment, each with its own jars, in turns, in data directories of their own.
Times of a machine that does other things mean little by themselves; those of two turns that follow one another can be
compared, and processor time suffers less. A figure is the smallest of its repeats. Verbs that only read are asked
several times, half a minute after the others, since a stack that has just got a task loads torch for some seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from fluvial.cli.interruption import interruptible
from tests.benchmarks.machine import machine

CHECKOUT = Path(__file__).resolve().parents[2]
FORMER = "bec2074"
"""The commit that the goals are set against."""

GOALS = {
    "up": 0.5,
    "submit": 0.35,
    "task create": 0.4,
    "status": 0.35,
    "model list": 0.35,
    "first round of the demo": 0.4,
    "demo": 0.6,
}
"""The part of the former time that is to be left."""

_READING = ("status", "model list")
_SETTLED_SECONDS = 30.0
_READS = 5
_COMMAND = "from fluvial.cli.main import run; run()"
_FIRST_ROUND = re.compile(r"round 1 open")


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds on the clock, and of all processors: the command's own and those of the stack's processes meanwhile."""

    wall: float
    processor: float


class Side:
    """One of the two checkouts."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout
        self._environment = {**os.environ, "PYTHONPATH": str(checkout), "COLUMNS": "160"}
        # From its second command on a user finds everything compiled.
        packages = [str(checkout / name) for name in ("fluvial", "models", "governance", "pipelines", "deploy")]
        subprocess.run([sys.executable, "-m", "compileall", "-q", *packages], check=True)

    def verbs(self, folder: Path) -> dict[str, Spent]:
        """What a first user does. Raises CalledProcessError."""
        data, file = ("--data-dir", str(folder)), ("--federation", str(folder / "federation.json"))
        stages = ("validation", "aggregation", "evaluation", "audit")
        task = str(self._checkout / "deploy" / "tasks" / "heart" / "task.yaml")
        commands = {
            "up": ("up", *data),
            "submit": ("submit", *stages, *data),
            "task create": ("task", "create", task, *data),
            "status": ("status", *data),
            "model list": ("model", "list", *file),
            "down": ("down", *data),
        }
        try:
            return {name: self._verb(name, folder, arguments) for name, arguments in commands.items()}
        finally:
            self._run("down", *data, check=False)

    def _verb(self, name: str, folder: Path, arguments: tuple[str, ...]) -> Spent:
        if name not in _READING:
            return self._spent(folder, arguments)
        if name == _READING[0]:
            time.sleep(_SETTLED_SECONDS)
        return sorted((self._spent(folder, arguments) for _ in range(_READS)), key=lambda spent: spent.wall)[
            _READS // 2
        ]

    def demo(self, task: str) -> dict[str, Spent]:
        """The demonstration, to its first round and to its end. Raises RuntimeError when it does not succeed."""
        before, started = _of_children(), time.monotonic()
        first = 0.0
        process = subprocess.Popen(
            self._command("demo", "--task", task),
            env=self._environment,
            cwd=self._checkout,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if not first and _FIRST_ROUND.search(line):
                first = time.monotonic() - started
        if process.wait() or not first:
            raise RuntimeError("the demonstration failed\n" + "".join(lines[-20:]))
        ended = Spent(time.monotonic() - started, _of_children() - before)
        return {"first round of the demo": Spent(first, 0.0), "demo": ended}

    def _spent(self, folder: Path, arguments: tuple[str, ...]) -> Spent:
        before, started = _of_children() + _of_stack(folder), time.monotonic()
        self._run(*arguments)
        wall = time.monotonic() - started
        return Spent(wall, max(0.0, _of_children() + _of_stack(folder) - before))

    def _run(self, *arguments: str, check: bool = True) -> None:
        command = self._command(*arguments)
        subprocess.run(command, env=self._environment, cwd=self._checkout, check=check, capture_output=True, text=True)

    @staticmethod
    def _command(*arguments: str) -> list[str]:
        return [sys.executable, "-c", _COMMAND, *arguments]


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _of_stack(folder: Path) -> float:
    """Processor seconds of the processes that run in the folder, or name it."""
    total = 0.0
    for process in psutil.process_iter(["cwd", "cmdline", "cpu_times"]):
        words = [process.info["cwd"] or "", *(process.info["cmdline"] or [])]
        if process.info["cpu_times"] and any(str(folder) in word for word in words):
            total += process.info["cpu_times"].user + process.info["cpu_times"].system
    return total


@contextmanager
def _worktree(commit: str, folder: Path) -> Iterator[Path]:
    """A checkout of the commit with its jars, for a while."""
    checkout = folder / "former"
    git = ["git", "-C", str(CHECKOUT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(checkout), commit], check=True)
    try:
        jars = f"-Djars={checkout / 'build' / 'jars'}"
        pom = str(checkout / "deploy" / "pom.xml")
        subprocess.run(["mvn", "--batch-mode", "--quiet", "--file", pom, jars, "package"], check=True)
        yield checkout
    finally:
        subprocess.run([*git, "remove", "--force", str(checkout)], check=False)


def measure(against: str | Path, repeats: int, demo: str) -> dict[str, dict[str, list[Spent]]]:
    """By side ("former", "present") and figure what each repeat spent. against: a commit, or the folder of a checkout
    whose jars are built."""
    found: dict[str, dict[str, list[Spent]]] = {"former": {}, "present": {}}
    with tempfile.TemporaryDirectory(prefix="fluvial-waiting-") as name, ExitStack() as ends:
        if isinstance(against, Path):
            former = against.resolve()
        else:
            former = ends.enter_context(_worktree(against, Path(name)))
        sides = {"former": Side(former), "present": Side(CHECKOUT)}
        for repeat in range(repeats):
            for label, side in sides.items():
                folder = Path(name) / f"{label}-{repeat}"
                spent = side.verbs(folder)
                shutil.rmtree(folder, ignore_errors=True)
                if demo != "none":
                    spent |= side.demo(demo)
                for figure, each in spent.items():
                    found[label].setdefault(figure, []).append(each)
                    print(f"{label} {figure}: {each.wall:.1f} s, processor {each.processor:.1f} s", file=sys.stderr)
    return found


def table(found: dict[str, dict[str, list[Spent]]]) -> str:
    """Markdown: seconds on the clock, processor seconds, the part that is left, and the goal."""
    lines = [
        "| | former | present | part | goal | former, processor | present, processor |",
        "|---|---|---|---|---|---|---|",
    ]
    for figure in found["former"]:
        sides = [found[label][figure] for label in ("former", "present")]
        former, present = (min(each.wall for each in side) for side in sides)
        processor = [min(each.processor for each in side) for side in sides]
        shown = [f"{seconds:.1f} s" if seconds else "" for seconds in processor]
        goal = f"{GOALS[figure]:.2f}" if figure in GOALS else ""
        lines.append(
            f"| {figure} | {former:.1f} s | {present:.1f} s | {present / former:.2f} | {goal} | {' | '.join(shown)} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--against", default=FORMER, help="the commit to compare with")
    other.add_argument("--checkout", type=Path, help="the checkout to compare with, whose jars are built")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--demo", choices=["heart", "digits", "none"], default="heart")
    parser.add_argument("--output", type=Path, help="file of a JSON document with everything")
    arguments = parser.parse_args()
    with interruptible():
        found = measure(arguments.checkout or arguments.against, arguments.repeats, arguments.demo)
    print(table(found))
    if arguments.output:
        document: dict[str, Any] = {"machine": machine(), "against": str(arguments.checkout or arguments.against)}
        for label, figures in found.items():
            document[label] = {
                figure: [{"wall": round(one.wall, 2), "processor": round(one.processor, 2)} for one in each]
                for figure, each in figures.items()
            }
        arguments.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
