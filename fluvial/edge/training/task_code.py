"""What a task's file names, loaded: its module, its data, loss, metrics and trainer. Evaluation, replay, simulation,
demonstration and participants load tasks here.

What a file names is built in, or of the one package that it pins and that this process has allowed.
"""

from __future__ import annotations

import importlib
import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from fluvial.edge.metrics.measure import Metric
from fluvial.edge.metrics.own import own_metric
from fluvial.edge.packages.allowed import NO_PACKAGES, Packages
from fluvial.edge.packages.errors import FAULTS, LoaderFailed, PackageError, in_words
from fluvial.edge.packages.examples import Examples
from fluvial.edge.packages.held_out import held_out_rows, num_people
from fluvial.edge.packages.package import TaskPackage
from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.device import choose_device
from fluvial.edge.training.losses import Loss, loss_of
from fluvial.edge.training.module_state import ModuleState
from fluvial.edge.training.narrowing import narrowed
from fluvial.edge.training.surroundings import drawing_from, settings_kept
from fluvial.edge.training.trainer import Progress, train, trained_delta
from fluvial.edge.training.weights import load_weights
from fluvial.wire.errors import FluvialError
from fluvial.wire.promotion_policy import LEAST_PUBLISHED
from fluvial.wire.task_code import is_reference
from fluvial.wire.task_file import TaskFile
from fluvial.wire.terms import HeldOutSpec

Vector = NDArray[np.float32]


class TaskCode:
    """A task's code. Its file, and its package where it has one, are as `Packages.of` gives it."""

    def __init__(self, task_file: TaskFile, package: TaskPackage | None = None, root: Path | None = None) -> None:
        """root: folder that a built-in task's evaluation set is relative to. Nothing is imported yet. Raises ValueError
        for a task with a package that is not given."""
        if package is None:
            NO_PACKAGES.of(task_file)  # says what to install, where the task has a package
        self.task_file, self.package, self._root = task_file, package, root

    @classmethod
    def of(cls, task_file: TaskFile, packages: Packages = NO_PACKAGES, root: Path | None = None) -> TaskCode:
        """The code of a task, its package found among those that this process has allowed. Raises PackageError."""
        return cls(task_file, packages.of(task_file), root)

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
        """float32[D] that the task starts from. Raises as `state` does."""
        return self.state().flatten()

    @property
    def loss(self) -> Loss:
        """The task's loss."""
        wanted = self.task_file.loss
        return loss_of(self._code(wanted) if is_reference(wanted) else wanted)

    @property
    def loss_is_built_in(self) -> bool:
        """Whether the loss is one of ours, which metrics know by its name."""
        return not is_reference(self.task_file.loss)

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """The task's own metrics by the names in its file; those built in are not among them."""
        wanted = [*(self.task_file.evaluation.metrics if self.task_file.evaluation else []), *self._held_out.metrics]
        return {name: own_metric(name, self._code(name)) for name in wanted if is_reference(name)}

    def participant_examples(self, data: Path, index: int) -> Examples:
        """What a participant trains on: its examples without those that it holds out. Raises ValueError that names the
        loader and what is wrong with what it gives."""
        examples = self._all_examples(data, index)
        if self.task_file.data.held_out or not self._held_out.metrics:
            return examples
        return examples.chosen(~held_out_rows(len(examples), examples.people, self._held_out.fraction))

    def held_out_examples(self, data: Path, index: int) -> Examples | None:
        """What a participant holds out, where the task asks for that and it is of enough people. Raises as
        `participant_examples` does."""
        if not self._held_out.metrics:
            return None
        if named := self.task_file.data.held_out:
            examples = self._load(named, self._code(named), data, index)
        else:
            examples = self._all_examples(data, index)
            examples = examples.chosen(held_out_rows(len(examples), examples.people, self._held_out.fraction))
        return examples if num_people(examples) >= LEAST_PUBLISHED else None

    @property
    def _held_out(self) -> HeldOutSpec:
        return self.task_file.held_out

    def _all_examples(self, data: Path, index: int) -> Examples:
        named = self.task_file.data.participant
        if named is None:
            return Examples.of(_built_in("models.datasets", "load_participant")(data, index), str(data))
        return self._load(named, self._code(named), data, index)

    def evaluation_examples(self) -> Examples | None:
        """The evaluation set; None for a task without one. Raises ValueError as `participant_examples` does."""
        wanted = self.task_file.evaluation
        return None if wanted is None else self.examples(self.task_file.data.evaluation or wanted.data)

    def examples(self, named: str) -> Examples:
        """What a loader of the package, module:function, gives of its folder, or what a data file holds, of the package
        or relative to the root. Raises ValueError as `participant_examples` does."""
        if is_reference(named):
            loader = self._code(named)
            assert self.package is not None
            self.package.check()
            return self._load(named, loader, self.package.folder)
        return Examples.of(_built_in("models.datasets", "load_grouped")(self.path(named), named), named)

    def path(self, named: str) -> Path:
        """Where a data file lies: in the package if it has it, whose digest is looked at, else relative to the root."""
        if self.package is not None and named in self.package.files:
            self.package.read(named)
            return self.package.folder / named
        return (self._root or Path()) / named

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
        if isinstance(weight, bool) or not hasattr(weight, "__index__") or weight < 0:
            raise ValueError(f"{trainer} must return the number of examples, or None, not {weight!r:.80}")
        return trained_delta(state, base), operator.index(weight)

    def _load(self, named: str, loader: Callable[..., Any], *arguments: Any) -> Examples:
        """What it draws at random follows from the task's seed: nobody trains on what it held out a restart before."""
        with drawing_from(self.task_file.model.seed), settings_kept():
            try:
                found = loader(*arguments)
            except FAULTS as error:  # on files of whoever runs it
                absent = isinstance(error, (ValueError, LookupError, FileNotFoundError))
                raise LoaderFailed(f"the loader {named} fails: {in_words(error)}", absent) from error
            return Examples.of(found, f"the loader {named}")

    def _code(self, reference: str) -> Any:
        if self.package is None:
            raise PackageError(f"the task {self.task_file.task} names {reference}, but has no package")
        with settings_kept():
            found = self.package.resolve(reference)
        if not callable(found):
            raise PackageError(f"{reference} is {type(found).__name__}, which cannot be called")
        return found

    def _architecture(self, name: str) -> Callable[..., Any]:
        build = _built_in("models.architectures", "build")
        return lambda **parameters: build(name, parameters)


def _built_in(module: str, name: str) -> Any:
    """What the checkout has built in; the client knows of it by name alone."""
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "models":
            raise
        raise ValueError(
            "the task's model or data are built in, and those are in a checkout of fluvial: run there, or use a task "
            "with a package"
        ) from error
