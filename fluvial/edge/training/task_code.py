"""What a task's file names, loaded: its module, loss and trainer, beside its data and metrics (`task_data`).
Evaluation, replay, simulation, demonstration and participants load tasks here.

What a file names is built in, or of the one package that it pins and that this process has allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fluvial.edge.contribution import whole_number
from fluvial.edge.packages.errors import FAULTS, in_words
from fluvial.edge.packages.examples import Examples
from fluvial.edge.training.architectures import build
from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.device import choose_device
from fluvial.edge.training.losses import Loss, loss_of
from fluvial.edge.training.module_state import ModuleState
from fluvial.edge.training.narrowing import narrowed
from fluvial.edge.training.surroundings import drawing_from, settings_kept
from fluvial.edge.training.task_data import TaskData
from fluvial.edge.training.trainer import Progress, train, trained_delta
from fluvial.edge.training.weights import load_weights
from fluvial.wire.errors import FluvialError
from fluvial.wire.task_code import is_reference

Vector = NDArray[np.float32]


class TaskCode(TaskData):
    """A task's code. Its file, and its package where it has one, are as `Packages.of` gives it."""

    def module(self) -> nn.Module:
        """The module with the weights that the task starts from: what its builder makes with the task's seed, and the
        package's weights on top; of a task that tunes a pruned model the narrower one. Raises ValueError for a builder
        that cannot make one, naming it."""
        spec = self.task_file.model
        builder = self._code(spec.builder) if spec.builder else self._architecture(spec.architecture)
        named = f"{spec.builder or spec.architecture} with the parameters {dict(spec.parameters)}"
        with drawing_from(spec.seed), settings_kept():
            try:
                module = builder(**spec.parameters)
            except FAULTS as error:  # whatever the builder and torch make of parameters
                if not spec.builder and isinstance(error, ValueError):
                    raise
                raise ValueError(f"{named} makes no module: {in_words(error)}") from error
        if not isinstance(module, nn.Module):
            raise ValueError(f"{named} makes {type(module).__name__}, which is no torch module")
        if spec.weights and self.package is not None:
            load_weights(module, self.package.read(spec.weights), spec.weights)
        return module if self.task_file.tunes is None else narrowed(module, self.task_file.tunes.fraction)

    def state(self, module: nn.Module | None = None) -> ModuleState:
        """What travels of a module, a new one by default. Raises ValueError as `module` and ModuleState do, and for a
        base that is another than the task's."""
        spec = self.task_file.model
        state = ModuleState(self.module() if module is None else module, spec.train, spec.local, spec.statistics)
        if spec.base_sha256 and module is None and state.fixed_digest() != spec.base_sha256:
            raise ValueError(
                f"the weights of the task {self.task_file.task} that do not travel are others here than where it was "
                "created: ship them with the package, as model.weights, instead of drawing them"
            )
        return state

    def initial(self) -> Vector:
        """float32[D] that the task starts from. Raises as `state` and `ModuleState.initial` do."""
        return self.state().initial()

    @property
    def loss(self) -> Loss:
        """The task's loss."""
        wanted = self.task_file.loss
        return loss_of(self._code(wanted) if is_reference(wanted) else wanted)

    @property
    def loss_is_built_in(self) -> bool:
        """Whether the loss is one of ours, which metrics know by its name."""
        return not is_reference(self.task_file.loss)

    def train(
        self,
        state: ModuleState,
        base: Vector,
        examples: Examples,
        training: Mapping[str, Any],
        seed: int,
        *,
        progress: Progress | None = None,
        correction: Vector | None = None,
        device: str = "cpu",
    ) -> tuple[Vector, int] | None:
        """(delta float32[D], number of examples) of a round's training, with the task's trainer; None sits it out.

        training: the round's. Raises ValueError and TrainingFailed as `trainer.train` does, and ValueError for whatever
        else the task's code and torch make of examples that do not fit.
        """
        parameters = {name: value for name, value in training.items() if name != "trainer"}
        trainer = self.task_file.training.trainer
        if trainer:
            return self._train_by(trainer, state, base, examples, parameters, seed, device)
        torch.set_num_threads(1)  # and it stays so: see `train`
        config, loss = TrainingConfig.from_mapping(parameters), self.loss
        try:
            with settings_kept():
                return train(
                    state,
                    base,
                    examples,
                    config,
                    seed,
                    loss=loss,
                    progress=progress,
                    correction=correction,
                    device=device,
                )
        except (ValueError, FluvialError):
            raise
        except FAULTS as error:  # whatever torch, the module and the loss make of what they cannot use
            raise ValueError(
                f"the model and the loss of the task {self.task_file.task} fail on the examples "
                f"({examples.described()}): {in_words(error)}"
            ) from error

    def _train_by(
        self,
        trainer: str,
        state: ModuleState,
        base: Vector,
        examples: Examples,
        parameters: Mapping[str, Any],
        seed: int,
        device: str,
    ) -> tuple[Vector, int] | None:
        own = self._code(trainer)
        device = choose_device(device)
        state.module.to(device)
        state.load(base)
        state.train_mode()
        with drawing_from(seed, device), settings_kept():
            try:
                weight = own(state.module, examples, parameters, seed)
            except FluvialError:
                raise
            except FAULTS as error:
                raise ValueError(f"the trainer {trainer} fails: {in_words(error)}") from error
        if weight is None:
            return None
        try:
            count = whole_number(weight)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{trainer} must return the number of examples, or None, not {weight!r:.80}") from error
        return trained_delta(state, base), count

    def _architecture(self, name: str) -> Callable[..., Any]:
        return lambda **parameters: build(name, parameters, self.task_file.model.seed)
