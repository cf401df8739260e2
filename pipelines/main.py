"""Entry point of every job: `python -m pipelines.main`, or `flink run -pym pipelines.main`.

Builds the graph of the named stages, composed into one job, and runs it.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from pipelines.config import Settings
from pipelines.flink.environment import stream_environment
from pipelines.flink.graph import Graph
from pipelines.topology import stages_named


def main() -> None:
    parser = argparse.ArgumentParser(description="Run Fluvial stages as one Flink job.")
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of pipelines.config.Settings")
    parser.add_argument("--stages", required=True, help="stages, separated by commas")
    parser.add_argument("--name", required=True, help="name of the job; also of its checkpoints and transactions")
    arguments = parser.parse_args()
    settings = Settings.load(arguments.settings)
    stages = stages_named([name for name in arguments.stages.split(",") if name])
    environment = stream_environment(settings, arguments.name)
    graph = Graph(environment, settings, arguments.name, list(stages))
    for stage in stages.values():
        importlib.import_module(stage.module).attach(graph)
    graph.finish()
    environment.execute(arguments.name)


if __name__ == "__main__":
    main()
