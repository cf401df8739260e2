"""Fluvial as `fluvial bench aggregate` runs it: a broker, a job, and a process for each participant.

It runs in the environment of the checkout, which is its own. Signatures, content checks, manifests and exactly-once
publication are part of every round, and the last version is replayed: a result that is not bit-exact does not count.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from fluvial import __version__
from tests.benchmarks.peers.environments import MARKER
from tests.benchmarks.peers.processes import Processes
from tests.benchmarks.peers.rounds import PeerFailed, Report, Shape


class Fluvial:
    """See the module. command: what runs `fluvial`."""

    name = "fluvial"
    version = __version__

    def __init__(self, command: Path | None = None) -> None:
        self._command = command or Path(sys.executable).with_name("fluvial")

    def prepare(self, report: Report) -> None:
        pass

    def run(self, shape: Shape, num_rounds: int, directory: Path, time_limit: float, report: Report) -> list[float]:
        options = {
            "--participants": shape.num_participants,
            "--processes": shape.num_participants,
            "--megabytes": shape.megabytes,
            "--rounds": num_rounds,
            "--uploads": "concurrent",
        }
        arguments = [str(part) for option in options.items() for part in option]
        with Processes(directory, time_limit) as processes:
            variables = {**os.environ, MARKER: processes.marker, "TMPDIR": str(directory.absolute())}
            command = [str(self._command), "bench", "aggregate", "--json", *arguments]
            bench = processes.start("bench", command, variables)
            lines: list[str] = []

            def ended() -> bool:
                over = bench.poll() is not None
                for line in processes.log("bench").read_text(errors="replace").splitlines()[len(lines) :]:
                    lines.append(line)
                    if not line.startswith("{"):
                        report(f"{self.name} {shape}: {line}")
                return over

            processes.wait_until(ended, "all rounds")
            if bench.returncode != 0:
                raise PeerFailed(f"status {bench.returncode}\n" + "\n".join(lines[-8:]))
        result = json.loads(lines[-1])
        if not result["replay"]["bit_exact"]:
            raise PeerFailed("the replay of the last version was not bit-exact")
        return [each["seconds"] for each in result["rounds"]]
