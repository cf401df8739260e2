"""Flower: a SuperLink, a SuperNode for each participant, a ServerApp with FedAvg; each a process, as in a deployment.

The app (`flower_app/`) does not train. Without TLS, as Fluvial is measured. Times are those at which FedAvg calls the
server's evaluation, which it does when a model is aggregated.
"""

from __future__ import annotations

import json
from pathlib import Path

from deploy.machine.ports import HOST, free_ports, is_listening
from tests.benchmarks.peers.environments import Environment
from tests.benchmarks.peers.processes import Processes
from tests.benchmarks.peers.rounds import Report, Shape, differences

VERSION = "1.41.0"
_APP = Path(__file__).with_name("flower_app")
_CONNECTION = "bench"
_BEHIND = ("nice", "-n", "10")
"""A client process is started for every message: dozens at once would keep the SuperLink from answering within the five
seconds after which Flower gives a run up."""


class Flower:
    """See the module. environments: the folder of all virtual environments."""

    name = "flower"
    version = VERSION

    def __init__(self, environments: Path) -> None:
        self._environment = Environment(environments / self.name, (f"flwr=={VERSION}", "numpy"))

    def prepare(self, report: Report) -> None:
        self._environment.make(report)

    def run(self, shape: Shape, num_rounds: int, directory: Path, time_limit: float, report: Report) -> list[float]:
        port, *node_ports = free_ports(1 + shape.num_participants)
        address = f"{HOST}:{port}"
        home = directory / "home"
        home.mkdir()
        (home / "config.toml").write_text(
            f'[superlink]\ndefault = "{_CONNECTION}"\n\n[superlink.{_CONNECTION}]\naddress = "{address}"\n'
            "insecure = true\n"
        )
        times_file = directory / "times.txt"
        command = self._environment.command
        with Processes(directory, time_limit) as processes:
            variables = self._environment.variables(
                processes.marker, FLWR_HOME=str(home), FLWR_TELEMETRY_ENABLED="0", FLWR_DISABLE_UPDATE_CHECK="1"
            )
            link = [command("flower-superlink"), "--insecure", "--host", HOST, "--port", str(port)]
            processes.start("superlink", [*link, "--disable-runtime-dependency-installation"], variables)
            processes.wait_until(lambda: is_listening(port), "the SuperLink answers")
            for number, node_port in enumerate(node_ports, start=1):
                node = [command("flower-supernode"), "--insecure", "--superlink", address, "--port", str(node_port)]
                processes.start(f"supernode-{number}", [*_BEHIND, *node], variables)
            settings = {
                "num-elements": shape.num_elements,
                "num-clients": shape.num_participants,
                "num-rounds": num_rounds,
                "times-file": str(times_file.absolute()),
            }
            overrides = " ".join(f"{name}={json.dumps(value)}" for name, value in settings.items())
            run = [command("flwr"), "run", str(_APP), _CONNECTION, "--stream", "--run-config", overrides]
            processes.start("run", run, variables)
            for number in range(num_rounds + 1):
                done = f"round {number}" if number else "the initial model"
                processes.wait_until(lambda number=number: len(_times(times_file)) > number, done)
                report(f"{self.name} {shape}: {done}")
        return differences(_times(times_file))


def _times(path: Path) -> list[float]:
    """The complete lines so far, `round time`."""
    if not path.exists():
        return []
    return [float(line.split()[1]) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
