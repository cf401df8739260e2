"""What a task's file names besides its model: the data of participants and evaluation, and the task's own metrics.

Torch is imported where the task's own code runs, which may use it, and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any, Self

from fluvial.edge.metrics.measure import Metric
from fluvial.edge.metrics.own import own_metric
from fluvial.edge.packages.allowed import NO_PACKAGES, Packages
from fluvial.edge.packages.errors import FAULTS, LoaderFailed, PackageError, in_words
from fluvial.edge.packages.examples import Examples
from fluvial.edge.packages.held_out import held_out_rows, num_people
from fluvial.edge.packages.package import TaskPackage
from fluvial.edge.training.data_files import load_grouped, load_participant
from fluvial.wire.promotion_policy import LEAST_PUBLISHED
from fluvial.wire.task_code import is_reference
from fluvial.wire.task_file import TaskFile
from fluvial.wire.terms import HeldOutSpec


class TaskData:
    """A task's data. Its file, and its package where it has one, are as `Packages.of` gives it."""

    def __init__(self, task_file: TaskFile, package: TaskPackage | None = None, root: Path | None = None) -> None:
        """root: folder that a built-in task's evaluation set is relative to. Nothing is imported yet. Raises ValueError
        for a task with a package that is not given."""
        if package is None:
            NO_PACKAGES.of(task_file)  # says what to install, where the task has a package
        self.task_file, self.package, self._root = task_file, package, root

    @classmethod
    def of(cls, task_file: TaskFile, packages: Packages = NO_PACKAGES, root: Path | None = None) -> Self:
        """What a task names, its package found among those that this process has allowed. Raises PackageError."""
        return cls(task_file, packages.of(task_file), root)

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
            return Examples.of(load_participant(data, index), str(data))
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
        return Examples.of(load_grouped(self.path(named), named), named)

    def path(self, named: str) -> Path:
        """Where a data file lies: in the package if it has it, whose digest is looked at, else relative to the root.
        Where no root was given, as on the machines of those who only read models, in the folder one is in, and nowhere
        else: which files of such a machine are opened is not for the task's operator to say. Raises ValueError."""
        if self.package is not None and named in self.package.files:
            self.package.read(named)
            return self.package.folder / named
        elsewhere = PureWindowsPath(named)  # which takes both kinds of slashes
        if self._root is None and (elsewhere.anchor or ".." in elsewhere.parts):
            raise ValueError(f"the task names the data file {named}, which lies elsewhere: name one of your own")
        return (self._root or Path()) / named

    def _load(self, named: str, loader: Callable[..., Any], *arguments: Any) -> Examples:
        """What it draws at random follows from the task's seed: nobody trains on what it held out a restart before."""
        from fluvial.edge.training.surroundings import drawing_from, settings_kept

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
        from fluvial.edge.training.surroundings import settings_kept

        with settings_kept():
            found = self.package.resolve(reference)
        if not callable(found):
            raise PackageError(f"{reference} is {type(found).__name__}, which cannot be called")
        return found
