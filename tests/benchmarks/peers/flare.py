"""NVIDIA FLARE: `FedAvgRecipe` for numpy in `SimEnv`, clients in threads of the simulator, which is its fastest way.

A round lasts from its start in the server's log to the next one's, so it includes saving the model, as Fluvial's does.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

from tests.benchmarks.peers.environments import Environment
from tests.benchmarks.peers.processes import Processes
from tests.benchmarks.peers.rounds import PeerFailed, Report, Shape, differences

VERSION = "2.9.0"
_JOB = Path(__file__).with_name("flare_job.py")
_MARKS = re.compile(r"Round \d+ started\.|Finished FedAvg\.")


class Flare:
    """See the module. environments: the folder of all virtual environments."""

    name = "flare"
    version = VERSION

    def __init__(self, environments: Path) -> None:
        self._environment = Environment(environments / self.name, (f"nvflare=={VERSION}", "numpy"))

    def prepare(self, report: Report) -> None:
        self._environment.make(report)

    def run(self, shape: Shape, num_rounds: int, directory: Path, time_limit: float, report: Report) -> list[float]:
        workspace = (directory / "workspace").absolute()
        options = {
            "--elements": shape.num_elements,
            "--clients": shape.num_participants,
            "--rounds": num_rounds,
            "--workspace": workspace,
        }
        arguments = [str(part) for option in options.items() for part in option]
        log = workspace / "rounds" / "server" / "log.json"
        with Processes(directory, time_limit) as processes:
            variables = self._environment.variables(processes.marker)
            job = processes.start("simulator", [str(self._environment.python), str(_JOB), *arguments], variables)
            for number in range(num_rounds + 1):
                done = f"round {number}" if number else "the initial model"
                processes.wait_until(lambda number=number: len(_times(log)) > number, done)
                report(f"{self.name} {shape}: {done}")
            processes.wait_until(lambda: job.poll() is not None, "the simulator ends")
            if job.returncode != 0:
                raise PeerFailed(f"the simulator ended with status {job.returncode}: see {processes.log('simulator')}")
        return differences(_times(log))


def _times(path: Path) -> list[float]:
    """When each round started and the last one ended, in seconds since the epoch."""
    if not path.exists():
        return []
    marked = (line for line in path.read_text(errors="replace").splitlines(keepends=True) if _MARKS.search(line))
    times = (json.loads(line)["asctime"] for line in marked if line.endswith("\n"))
    return [datetime.strptime(time, "%Y-%m-%d %H:%M:%S,%f").timestamp() for time in times]
