"""The central baseline, as a process of its own: the same data in one place, the same number of passes, one model.

    main(["--task-file", FILE, "--data", PATH, "--participants", N, "--out", FILE, "--package", FOLDER])

It runs at low priority, in the time that the federation leaves, and writes its metrics as JSON when it has them.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import torch

from deploy.demo.groups import to_dicts
from deploy.demo.training import seed_of
from deploy.machine.jars import CHECKOUT
from fluvial.edge.metrics import Measured
from fluvial.edge.packages import Examples, Packages, joined
from fluvial.edge.training.data_files import load_all_participants
from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.files import replace_file
from fluvial.wire.task_file import TaskFile
from models.central import train_centrally
from models.evaluation.task import evaluator_of

_LOWEST_PRIORITY = 19


def measure_central(code: TaskCode, data: Path, num_participants: int) -> Measured:
    """Metrics of the central model on the task's evaluation set, overall and by group; none without one."""
    task_file = code.task_file
    if task_file.data.participant is None:
        examples = Examples.of(load_all_participants(data), str(data))
    else:
        examples = joined([code.participant_examples(data, number) for number in range(num_participants)])
    vector_D = train_centrally(
        code,
        examples,
        task_file.training.model_dump(),
        num_rounds=task_file.rounds,
        seed=seed_of(f"{task_file.task}/central"),
    )
    evaluator = evaluator_of(code, "cpu")
    return Measured(metrics={}) if evaluator is None else evaluator.measure_with_groups(vector_D)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the central baseline.")
    parser.add_argument("--task-file", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--package", type=Path, action="append", default=[])
    parser.add_argument("--participants", type=int, required=True, help="how many the data is of")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    os.nice(_LOWEST_PRIORITY)
    torch.set_num_threads(1)
    started = time.monotonic()
    code = TaskCode.of(TaskFile.read(arguments.task_file), Packages(arguments.package), CHECKOUT)
    measured = measure_central(code, arguments.data, arguments.participants)
    result = {
        "metrics": dict(measured.metrics),
        "groups": to_dicts(measured.groups),
        "seconds": time.monotonic() - started,
    }
    replace_file(arguments.out, json.dumps(result))
