"""A task of eight groups with twelve examples each, two classes that a line nearly separates, in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from deploy.simulation.learning import LearningPlan
from fluvial.wire.task_file import TaskFile

GROUPS, EXAMPLES = 8, 12


def a_plan(folder: Path, *, participants: int | None = None, seed: int = 0, **fields: Any) -> LearningPlan:
    generator = np.random.default_rng(3)
    inputs = generator.normal(size=(GROUPS * EXAMPLES + 60, 5)).astype(np.float32)
    targets = (inputs @ np.array([1, -2, 0.5, 0, 1], np.float32) + 0.2 * generator.normal(size=len(inputs)) > 0).astype(
        np.int64
    )
    training, held_out = slice(0, GROUPS * EXAMPLES), slice(GROUPS * EXAMPLES, None)
    save_file(
        {"inputs": inputs[training], "targets": targets[training], "group": np.arange(GROUPS * EXAMPLES) % GROUPS},
        folder / "participants.safetensors",
    )
    save_file(
        {"inputs": inputs[held_out], "targets": targets[held_out], "groups.site": np.arange(60) % 2},
        folder / "evaluation.safetensors",
        metadata={"groups": json.dumps({"site": ["north", "south"]})},
    )
    return LearningPlan(
        task_file=TaskFile.model_validate(
            {
                "task": "small",
                "title": "Small",
                "model": {"architecture": "logistic_regression", "parameters": {"inputs": 5, "classes": 2}, "seed": 3},
                "rounds": 3,
                "quorum": 5,
                "target": 6,
                "deadline_seconds": 10,
                "limits": {"max_abs": 8.0, "max_weight": 100},
                "encodings": ["float32", "int8", "top_k"],
                "chunk_elements": 5,
                "training": {"epochs": 2, "batch_size": 4, "learning_rate": 0.1},
                "evaluation": {
                    "data": str(folder / "evaluation.safetensors"),
                    "metrics": ["accuracy", "auc", "loss"],
                },
                **fields,
            }
        ),
        folder=folder,
        data=folder / "participants.safetensors",
        num_participants=participants,
        seed=seed,
    )
