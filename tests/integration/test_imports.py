"""What importing costs, and who may import whom."""

import json
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]

MEASURE = """
import time; started = time.process_time()
import fluvial.edge
seconds = time.process_time() - started
import json, sys; print(json.dumps([seconds, sorted(sys.modules)]))
"""


def import_edge() -> tuple[float, set[str]]:
    """Processor seconds, which other processes on the machine do not change, and the modules then loaded."""
    found = subprocess.run([sys.executable, "-c", MEASURE], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    seconds, modules = json.loads(found.stdout)
    return seconds, set(modules)


def test_importing_the_edge_takes_less_than_a_second() -> None:
    assert min(import_edge()[0] for _ in range(3)) < 1.0


def test_importing_the_edge_loads_neither_engine_nor_torch_nor_a_kafka_client() -> None:
    _, modules = import_edge()
    heavy = {"torch", "pyflink", "py4j", "kafka", "confluent_kafka", "typer", "rich", "safetensors", "models"}
    assert not modules & heavy


def test_the_layers_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    found = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


def test_neither_a_stage_nor_replay_escapes_the_contract_of_independence() -> None:
    import tomllib

    contracts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (independent,) = [contract["modules"] for contract in contracts if contract["type"] == "independence"]
    stages = {f"pipelines.{path.parent.name}" for path in (CHECKOUT / "pipelines").glob("*/job.py")}
    assert set(independent) == {*stages, "pipelines.replay"}
