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
from pipelines.flink.log_reader import wait_until_settled
from pipelines.topology import stages_named

_SETTLE_MARGIN_SECONDS = 30.0
"""How much later than its timeout a transaction of a former job may be aborted."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Run Fluvial stages as one Flink job.")
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of pipelines.config.Settings")
    parser.add_argument("--stages", required=True, help="stages, separated by commas")
    parser.add_argument("--name", required=True, help="name of the job; also of its checkpoints and transactions")
    arguments = parser.parse_args()
    settings = Settings.load(arguments.settings)
    stages = stages_named([name for name in arguments.stages.split(",") if name])
    # Here, where nothing of this job runs yet: what an operator waited for then might be a transaction of its own job.
    topics = sorted({getattr(settings.topics, topic) for stage in stages.values() for topic in stage.reads})
    wait_until_settled(settings.brokers, topics, settings.transaction_timeout_ms / 1000 + _SETTLE_MARGIN_SECONDS)
    environment = stream_environment(settings, arguments.name)
    graph = Graph(environment, settings, arguments.name, list(stages))
    for stage in stages.values():
        importlib.import_module(stage.module).attach(graph)
    graph.finish()
    environment.execute(arguments.name)


if __name__ == "__main__":
    main()
