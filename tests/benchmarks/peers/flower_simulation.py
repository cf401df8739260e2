"""Rounds of a task in Flower's simulation: FedAvg over the same participants, with the same trainer. Runs in Flower's
environment, which borrows torch and this checkout.

    python -m tests.benchmarks.peers.flower_simulation FOLDER PARTICIPANTS ROUNDS SEED TIMES_FILE
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

from tests.benchmarks.peers.task_training import TaskTraining

app = ClientApp()


@lru_cache(maxsize=1)
def training() -> TaskTraining:
    """Of this process, which plays many clients."""
    return TaskTraining(Path(os.environ["TASK_FOLDER"]), int(os.environ["PARTICIPANTS"]), int(os.environ["SEED"]))


@app.train()
def train(message: Message, context: Context) -> Message:
    (base,) = message.content["arrays"].to_numpy_ndarrays()
    number = int(context.node_config["partition-id"])
    delta, weight = training().train(number, base, int(message.content["config"]["server-round"]))
    metrics = MetricRecord({"num-examples": weight})
    return Message(content=RecordDict({"arrays": ArrayRecord([base + delta]), "metrics": metrics}), reply_to=message)


def main(folder: str, participants: str, rounds: str, seed: str, times_file: str) -> None:
    os.environ.update(TASK_FOLDER=folder, PARTICIPANTS=participants, SEED=seed)
    server, times = ServerApp(), Path(times_file)

    @server.main()
    def serve(grid: Grid, context: Context) -> None:
        def measure(server_round: int, arrays: ArrayRecord) -> MetricRecord:
            (model,) = arrays.to_numpy_ndarrays()
            accuracy = training().accuracy(model)
            with times.open("a") as file:
                file.write(f"{server_round} {time.time()} {accuracy}\n")
            return MetricRecord({"accuracy": accuracy})

        everyone = int(participants)
        FedAvg(fraction_evaluate=0.0, min_train_nodes=everyone, min_available_nodes=everyone).start(
            grid=grid,
            initial_arrays=ArrayRecord([np.asarray(training().initial())]),
            num_rounds=int(rounds),
            evaluate_fn=measure,
        )

    resources: dict[str, Any] = {"client_resources": {"num_cpus": 1, "num_gpus": 0.0}}
    run_simulation(server_app=server, client_app=app, num_supernodes=int(participants), backend_config=resources)


if __name__ == "__main__":
    # By its name, so that other processes find what is pickled.
    importlib.import_module("tests.benchmarks.peers.flower_simulation").main(*sys.argv[1:])
