"""Many participants of a task in one simulation, here and in Flower's, one after the other on one machine.

    python -m tests.benchmarks.simulate_many --output tests/benchmarks/results/DATE-MACHINE-simulate.json

Both play the same rounds: the same examples of each participant, the same trainer, everybody in every round, the model
measured on the evaluation set after each. Fluvial signs, judges and adds up exactly besides. Flower is installed by
name and version into an environment of its own (`--environments`), which borrows torch and the task's training from
this checkout. A round lasts from one measured model to the next; the total has the start of all processes in it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch

from deploy.commands.simulate import folder_of
from deploy.machine.jars import CHECKOUT
from deploy.simulation.federation import SimulatedFederation
from deploy.simulation.learning import plan_of
from tests.benchmarks.machine import machine
from tests.benchmarks.peers.environments import Environment
from tests.benchmarks.peers.rounds import PeerFailed

FLOWER = "1.41.0"


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 when Flower failed."""
    options = _parser().parse_args(arguments)
    document: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "task": options.task,
        "participants": options.participants,
        "fluvial": fluvial(options.task, options.participants, options.rounds),
    }
    _write(document, options.output)
    try:
        if options.flower_rounds:
            document["flower"] = flower(
                options.task, options.participants, options.flower_rounds, options.environments, options.time_limit
            )
            ratio = document["flower"]["seconds_per_round"] / document["fluvial"]["seconds_per_round"]
            document["ratio"] = ratio
    except PeerFailed as error:
        document["flower"] = {"error": str(error)}
    print(json.dumps(document, indent=1))
    _write(document, options.output)
    return 1 if "error" in document.get("flower", {}) else 0


def _write(document: dict[str, Any], output: Path | None) -> None:
    if output is not None:
        output.write_text(json.dumps(document, indent=1) + "\n")


def fluvial(task: str, num_participants: int, num_rounds: int) -> dict[str, Any]:
    """Rounds of `fluvial simulate`, everybody's update in each."""
    started = time.monotonic()
    plan = plan_of(folder_of(task), num_participants=num_participants, num_rounds=num_rounds, target=num_participants)
    times, accuracies = [time.monotonic()], []
    for row in SimulatedFederation(plan, workers=None).run():
        assert row.included == num_participants
        assert row.metrics is not None
        times.append(time.monotonic())
        accuracies.append(row.metrics.metrics["accuracy"])
    return _result(times, accuracies, time.monotonic() - started)


def flower(task: str, num_participants: int, num_rounds: int, environments: Path, time_limit: float) -> dict[str, Any]:
    """The same in Flower's simulation; at the time limit, the rounds that it has made. Raises PeerFailed."""
    environment = Environment(environments / "flower-simulation", (f"flwr[simulation]=={FLOWER}",))
    environment.make(lambda line: print(line, file=sys.stderr))
    borrowed = Path(torch.__file__).parents[1]
    packages = next((environments / "flower-simulation").glob("lib/python3*/site-packages"))
    (packages / "borrowed.pth").write_text(f"{borrowed}\n")
    with TemporaryDirectory() as directory:
        times_file = Path(directory) / "times.txt"
        variables = environment.variables(
            "simulation",
            PYTHONPATH=str(CHECKOUT),
            OMP_NUM_THREADS="1",
            FLWR_HOME=directory,
            FLWR_TELEMETRY_ENABLED="0",
            FLWR_DISABLE_UPDATE_CHECK="1",
            RAY_USAGE_STATS_ENABLED="0",
        )
        command = [str(environment.python), "-m", "tests.benchmarks.peers.flower_simulation", str(folder_of(task))]
        numbers = [str(number) for number in (num_participants, num_rounds, 0)]
        started = time.monotonic()
        ended: subprocess.CompletedProcess[str] | None
        try:
            ended = subprocess.run(
                [*command, *numbers, str(times_file)],
                cwd=CHECKOUT,
                env={**os.environ, **variables},
                capture_output=True,
                text=True,
                timeout=time_limit,
            )
        except subprocess.TimeoutExpired:
            ended = None
        seconds = time.monotonic() - started
        lines = times_file.read_text().split("\n")[:-1] if times_file.exists() else []
        if ended is None and len(lines) < 2:
            raise PeerFailed(f"no round within {time_limit:.0f} s")
        if ended is not None and (ended.returncode != 0 or len(lines) != num_rounds + 1):
            raise PeerFailed(f"status {ended.returncode}\n{ended.stderr[-2000:]}")
    read = [line.split() for line in lines]
    if read[0][2] == read[-1][2]:
        raise PeerFailed(f"nobody's training made a difference\n{ended.stderr[-2000:] if ended else ''}")
    return _result([float(line[1]) for line in read], [float(line[2]) for line in read[1:]], seconds) | {
        "version": FLOWER
    }


def _result(times: Sequence[float], accuracies: Sequence[float], seconds: float) -> dict[str, Any]:
    """seconds_per_round: the median of all rounds but the first, in which processes start."""
    rounds = [after - before for before, after in pairwise(times)]
    return {
        "rounds": len(rounds),
        "seconds_per_round": median(rounds[1:] or rounds),
        "seconds": rounds,
        "total_seconds": seconds,
        "accuracy": list(accuracies),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="digits")
    parser.add_argument("--participants", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--flower-rounds", type=int, default=20, help="0 leaves Flower out")
    parser.add_argument("--environments", type=Path, default=Path("build/peers"), help="folder of the environments")
    parser.add_argument("--time-limit", type=float, default=1800.0, help="seconds for Flower's rounds")
    parser.add_argument("--output", type=Path, help="file for the results, as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
