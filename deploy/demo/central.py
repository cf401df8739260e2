"""The central baseline, as a process of its own: the same data in one place, the same number of passes, one model.

    python -m deploy.demo.central --task-file FILE --data FILE --out FILE

It runs at low priority, in the time that the federation leaves, and writes its metrics as JSON when it has them.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import torch

from deploy.demo.training import seed_of, training_config
from deploy.local.jars import CHECKOUT
from fluvial.wire.files import replace_file
from fluvial.wire.task_file import TaskFile
from models.architectures import initial_state
from models.central import train_centrally
from models.datasets import load_all_participants, load_evaluation
from models.evaluation.inference import Evaluator

_LOWEST_PRIORITY = 19


def measure_central(task_file: TaskFile, data: Path) -> dict[str, float]:
    """Metrics of the central model on the task's evaluation set; none without one."""
    model = task_file.model
    vector_D = train_centrally(
        model.architecture,
        model.parameters,
        initial_state(model.architecture, model.parameters, model.seed),
        load_all_participants(data),
        training_config(task_file),
        num_rounds=task_file.rounds,
        seed=seed_of(f"{task_file.task}/central"),
    )
    wanted = task_file.evaluation
    if wanted is None:
        return {}
    held_out = load_evaluation(CHECKOUT / wanted.data)
    evaluator = Evaluator(
        model.architecture,
        model.parameters,
        held_out.inputs,
        held_out.targets,
        wanted.metrics,
        device="cpu",
        batch_size=wanted.batch_size,
    )
    return evaluator.measure(vector_D)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the central baseline.")
    parser.add_argument("--task-file", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    os.nice(_LOWEST_PRIORITY)
    torch.set_num_threads(1)
    started = time.monotonic()
    metrics = measure_central(TaskFile.read(arguments.task_file), arguments.data)
    result = json.dumps({"metrics": metrics, "seconds": time.monotonic() - started})
    replace_file(arguments.out, result)


if __name__ == "__main__":
    main()
