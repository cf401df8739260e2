"""A task package in a folder, as a user writes one."""

from pathlib import Path
from typing import Any

from fluvial.wire.task_file import TaskFile

MODEL = """
from torch import nn
from .parts import width

def net(inputs, classes=2):
    return nn.Linear(inputs + width(), classes)

class Nets:
    other = staticmethod(net)

not_callable = 3

def broken(inputs):
    raise KeyError("no such weights")

def nothing(inputs):
    return None
"""

DATA = """
import numpy as np

def load(path, index):
    rows = np.load(path / f"{index}.npz", allow_pickle=False)
    return rows["inputs"], rows["targets"]

def evaluation(folder):
    inputs = np.eye(3, dtype=np.float32)
    return inputs, np.array([0, 1, 1]), {"site": ["north", "south", "south"]}

def empty(path, index):
    return np.zeros((0, 3), np.float32), np.zeros(0, np.int64)

def fails(path, index):
    raise FileNotFoundError(f"no scans in {path}")
"""

OWN = """
def loss(predictions, targets):
    return ((predictions[:, 1] - targets) ** 2).mean()

def spread(predictions, targets):
    return float(predictions.max() - predictions.min())

def fit(module, examples, training, seed):
    for parameter in module.parameters():
        parameter.data += training["step"]
    return len(examples)

def rests(module, examples, training, seed):
    return None
"""

TASK: dict[str, Any] = {
    "task": "scans",
    "title": "Scans",
    "package": {"name": "chest-xray"},
    "model": {"builder": "chest_xray.model:net", "parameters": {"inputs": 2}},
    "data": {"participant": "chest_xray.data:load", "evaluation": "chest_xray.data:evaluation"},
    "rounds": 1,
    "quorum": 1,
    "target": 1,
    "deadline_seconds": 1.0,
    "limits": {"max_abs": 1.0, "max_weight": 100},
    "training": {"epochs": 1, "batch_size": 2, "learning_rate": 0.1},
    "evaluation": {"metrics": ["accuracy", "loss"]},
}


def write(folder: Path, name: str = "chest-xray", **files: str) -> Path:
    """The package's folder. files: by name without .py, instead of its own or beside them."""
    package = folder / name
    package.mkdir(parents=True, exist_ok=True)
    parts = "def width():\n    return 1\n"
    for file, text in {"model": MODEL, "data": DATA, "own": OWN, "parts": parts, **files}.items():
        (package / f"{file}.py").write_text(text)
    return package


def task_file(**changes: Any) -> TaskFile:
    """The task of that package."""
    return TaskFile.model_validate({**TASK, **changes})
