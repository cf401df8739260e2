"""The trainer that `fluvial participate` uses by default: what the task's file says, on this participant's data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.metrics.own import own_metric
from fluvial.edge.packages.errors import FAULTS, in_words
from fluvial.edge.packages.examples import Examples
from fluvial.edge.trainer import TrainingRequest
from fluvial.edge.training.device import choose_device
from fluvial.edge.training.held_out import told_of
from fluvial.edge.training.losses import of_arrays
from fluvial.edge.training.module_state import ModuleState
from fluvial.edge.training.round_memory import Kind, RoundMemory
from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.records import HeldOutMetrics

_Key = tuple[str, str, Path, int]

_loaded: dict[_Key, Examples] = {}
_held_out: dict[_Key, Examples | None] = {}


def trainer(request: TrainingRequest) -> tuple[NDArray[np.float32], int] | None:
    """Trains the task's module on the participant's examples; (delta float32[D], number of examples), None to sit out.

    Personal parts and, with dynamic_alpha (FedDyn), the gradient of its own loss are remembered in `request.state`.
    Raises ValueError when data, package, module, layout or training do not fit one another, or when something is to be
    remembered and there is no such folder; TrainingFailed.
    """
    code = TaskCode(request.specification, request.package)
    return train_on(request, code, code.state(), load_examples(code, request.data, request.index))


def train_on(
    request: TrainingRequest, code: TaskCode, state: ModuleState, examples: Examples
) -> tuple[NDArray[np.float32], int] | None:
    """As `trainer`, on these examples, with a state of the task's module, whose personal part is what the task begins
    with."""
    state.check_fits(request.layout)
    personal = _memory(request, "personal") if state.has_personal else None
    correction = _memory(request, "correction") if request.training.get("dynamic_alpha") else None
    kept = personal.before(request.round, state.personal()) if personal is not None else None
    before = correction.before(request.round, np.zeros(state.size, np.float32)) if correction is not None else None
    if kept is not None:
        state.load_personal(kept)
    trained = code.train(
        state,
        request.base_D,
        examples,
        request.training,
        request.seed,
        correction=before,
        device=request.device,
    )
    if trained is None:
        return None
    if correction is not None and before is not None:
        alpha = np.float32(request.training["dynamic_alpha"])
        correction.keep(request.round, before, before - alpha * trained[0])
    if personal is not None and kept is not None:
        personal.keep(request.round, kept, state.personal())
    return trained


def measure_held_out(request: TrainingRequest) -> tuple[HeldOutMetrics, ...]:
    """What the round's model, with what stays with this participant, comes to on the examples that it holds out;
    nothing where the task does not ask, and of too few people. Raises as `trainer` does."""
    code = TaskCode(request.specification, request.package)
    key = _key(code, request.data, request.index)
    if key not in _held_out:
        _held_out.clear()
        _held_out[key] = code.held_out_examples(request.data, request.index)
    examples = _held_out[key]
    if examples is None:
        return ()
    state = code.state()
    state.check_fits(request.layout)
    state.load(request.base_D)
    if state.has_personal and request.state is not None:
        state.load_personal(_memory(request, "personal").before(request.round, state.personal()))
    loss = code.task_file.loss if code.loss_is_built_in else own_metric("loss", of_arrays(code.loss))
    wanted, device = code.task_file.held_out.metrics, choose_device(request.device)
    try:
        return told_of(state.module, examples, wanted, loss=loss, own=code.metrics, device=device)
    except ValueError:
        raise
    except FAULTS as error:  # whatever torch and the module make of examples that they cannot use
        raise ValueError(
            f"the model of the task {request.task} fails on the examples that are held out ({examples.described()}): "
            f"{in_words(error)}"
        ) from error


def _memory(request: TrainingRequest, kind: Kind) -> RoundMemory:
    if request.state is None:
        raise ValueError(f"this task needs a place to remember its {kind} between rounds, and there is none")
    return RoundMemory(request.state, request.task, kind)


def load_examples(code: TaskCode, data: Path, index: int) -> Examples:
    """The participant's examples, kept while the task and the data are the same: who asks for them before the first
    round learns what is wrong with them then. Raises ValueError as `TaskData.participant_examples` does."""
    key = _key(code, data, index)
    if key not in _loaded:
        _loaded.clear()
        _loaded[key] = code.participant_examples(data, index)
    return _loaded[key]


def _key(code: TaskCode, data: Path, index: int) -> _Key:
    """What examples follow from."""
    digest = code.package.digest if code.package is not None else ""
    wanted = code.task_file.model_dump_json(include={"data", "package", "held_out"})
    return wanted, digest, data, index
