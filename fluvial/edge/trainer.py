"""The training hook: a function that trains on a device's own data, named as `module:function`.

The client knows neither the data nor the model's architecture; the hook does. It gets a `TrainingRequest` and returns
the delta and the weight.
"""

import hashlib
import importlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.packages.allowed import NO_PACKAGES, Packages
from fluvial.edge.packages.package import TaskPackage
from fluvial.edge.packages.surroundings import process_kept
from fluvial.wire.records import Round, Task, TensorLayout
from fluvial.wire.task_file import TaskFile


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingRequest:
    """What a trainer gets for one round. Shapes: D parameters.

    base_D: the model to train from, a copy of its own. layout: its tensors. specification: the task's file, as it is
    signed. package: the task's, None for one without. model: its model's architecture or builder, parameters and seed.
    training: the round's training configuration. data, index: what the participant's user named; index says
    which part of the data is this participant's.
    seed: a function of task, participant and round, so that a repeat trains the same. state: a folder of this
    participant's own, where a trainer may keep what it remembers between rounds; it need not exist yet. None: there is
    none. device: auto, cpu or cuda.
    """

    task: str
    round: int
    base_D: NDArray[np.float32]
    layout: tuple[TensorLayout, ...]
    specification: TaskFile
    model: Mapping[str, Any]
    training: Mapping[str, Any]
    data: Path
    index: int
    seed: int
    state: Path | None = None
    package: TaskPackage | None = None
    device: str = "cpu"


Trainer = Callable[[TrainingRequest], tuple[NDArray[np.float32], int] | None]
"""Returns (delta_D, weight): trained minus base as float32, and the number of training examples.

None sits the round out."""


def training_request(
    task: Task,
    round_: Round,
    base_D: NDArray[np.float32],
    participant: str,
    data: Path,
    index: int,
    state: Path | None = None,
    packages: Packages = NO_PACKAGES,
    device: str = "cpu",
) -> TrainingRequest:
    """The request for one round.

    packages: those whose code may run here; without any, the trainer must do without the task's package. Raises
    PackageError for a task whose package is not among them, ValueError when the task's specification or the round's
    training are not what they should be.
    """
    specification = _task_file(task.specification)
    seed_text = f"{task.task}\n{participant}\n{round_.round}".encode()
    return TrainingRequest(
        task=task.task,
        round=round_.round,
        base_D=base_D,
        layout=round_.layout,
        specification=specification,
        package=packages.of(specification) if packages.folders else None,
        device=device,
        model=specification.model.model_dump(),
        training=json.loads(round_.training),
        data=data,
        index=index,
        seed=int.from_bytes(hashlib.sha256(seed_text).digest()[:4]),
        state=state,
    )


@lru_cache(maxsize=8)
def _task_file(specification: str) -> TaskFile:
    return TaskFile.model_validate_json(specification)


def trained(
    trainer: Trainer, request: TrainingRequest, *, name: str = "the trainer"
) -> tuple[NDArray[np.float32], int] | None:
    """What the trainer returns. The process is as it was afterwards, and what the trainer prints goes to standard
    error, since programs read what a command prints.

    Raises what it raises, and ValueError where it would end the program.
    """
    try:
        with process_kept():
            return trainer(request)
    except SystemExit as error:
        raise ValueError(
            f"{name} ends the program (exit status {error.code}): let it return None to sit out"
        ) from error


def load_trainer(name: str) -> Trainer:
    """The function that `module:function` names.

    Modules of the working directory are found. Raises ValueError that says what is missing.
    """
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise ValueError(f"a trainer is named as module:function, not {name!r}")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        with process_kept():
            module = importlib.import_module(module_name)
    except SystemExit as error:
        raise ValueError(
            f"the module {module_name} ends the program when it is imported: what it does as a script belongs under "
            "`if __name__ == '__main__':`"
        ) from error
    except ModuleNotFoundError as error:
        if error.name == "torch":
            raise ValueError(
                f"the trainer {name} needs torch, which is not installed: pip install 'fluvial[torch]'"
            ) from error
        if error.name in (module_name, module_name.partition(".")[0]):
            raise ValueError(
                f"there is no module {error.name} for the trainer {name}: run in the folder that it lies in, or "
                "install it"
            ) from error
        raise
    trainer = getattr(module, function_name, None)
    if not callable(trainer):
        raise ValueError(f"{module_name} has no function {function_name}")
    found: Trainer = trainer
    return found
