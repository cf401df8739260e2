"""The example federations that the demonstration can run: tasks with a file `demo.yaml` beside their task file.

    participants: [cleveland, hungarian, switzerland, va]
    against_central:
      accuracy: {points: 3}
      rmse: {percent: 10}
    groups:
      site: {auc: {points: 5}}

`participants` names each group of the data, in the order of the groups' numbers. `against_central` says how far the
federated model may stay behind the central one: in points (hundredths of the metric) or in percent of the central
model's value, and for a metric that is the task's own whether `lower` is better. `groups` says the same of each group
of an attribute of the evaluation set: none of them may be further behind the central model on the same examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from deploy.demo.groups import GroupMargin
from deploy.demo.measures import LOWER_IS_BETTER, Margin
from deploy.machine.jars import CHECKOUT
from fluvial.wire.task_code import metric_name
from fluvial.wire.task_file import TaskFile

TASKS = CHECKOUT / "deploy" / "tasks"
DEMO_FILE = "demo.yaml"


class _Allowed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    points: Annotated[float, Field(ge=0)] | None = None
    percent: Annotated[float, Field(ge=0)] | None = None
    lower: bool | None = None

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        if (self.points is None) == (self.percent is None):
            raise ValueError("say how far a metric may stay behind either in points or in percent")
        return self

    def margin(self, metric: str) -> Margin:
        lower = metric in LOWER_IS_BETTER if self.lower is None else self.lower
        if self.points is not None:
            return Margin(metric=metric, size=self.points, unit="points", lower_is_better=lower)
        assert self.percent is not None
        return Margin(metric=metric, size=self.percent, unit="percent", lower_is_better=lower)


class _DemoFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    participants: Annotated[list[str], Field(min_length=3)]
    against_central: Annotated[dict[str, _Allowed], Field(min_length=1)]
    groups: dict[str, Annotated[dict[str, _Allowed], Field(min_length=1)]] = {}

    @model_validator(mode="after")
    def _names_are_different(self) -> Self:
        if len(set(self.participants)) < len(self.participants):
            raise ValueError("two participants have the same name")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """data: the participants' examples. names: of the groups in it. packages: folders whose code the task runs.
    margins: how far the federated model may stay behind the central one; group_margins: on each group."""

    task_file: TaskFile
    data: Path
    names: tuple[str, ...]
    margins: tuple[Margin, ...]
    group_margins: tuple[GroupMargin, ...] = ()
    packages: tuple[Path, ...] = ()

    @property
    def shown(self) -> Margin:
        """The metric that groups are told by: the one that they are held to, or else the first of the whole."""
        return self.group_margins[0].margin if self.group_margins else self.margins[0]

    @property
    def metrics(self) -> tuple[str, ...]:
        """What the task's models are measured by, under the names that records have."""
        evaluation = self.task_file.evaluation
        return tuple(metric_name(wanted) for wanted in evaluation.metrics) if evaluation else ()


def examples(tasks: Path = TASKS) -> list[str]:
    """Names of the examples, in alphabetical order."""
    return sorted(file.parent.name for file in tasks.glob(f"*/{DEMO_FILE}"))


def example(task: str, tasks: Path = TASKS) -> Example:
    """The example of that name. Raises ValueError when there is none, or when its file `demo.yaml` is wrong."""
    if task not in examples(tasks):
        raise ValueError(f"there is no example task {task!r}; there are {', '.join(examples(tasks))}")
    folder = tasks / task
    try:
        demo = _DemoFile.model_validate(yaml.safe_load((folder / DEMO_FILE).read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise ValueError(f"{folder / DEMO_FILE} is wrong: {error}") from error
    task_file = TaskFile.read(folder / "task.yaml")
    of_package = task_file.package is not None
    return Example(
        task_file=task_file,
        data=folder / "data" if of_package else folder / "participants.safetensors",
        names=tuple(demo.participants),
        margins=tuple(allowed.margin(metric) for metric, allowed in demo.against_central.items()),
        group_margins=tuple(
            GroupMargin(attribute=attribute, margin=allowed.margin(metric))
            for attribute, metrics in demo.groups.items()
            for metric, allowed in metrics.items()
        ),
        packages=(folder,) if of_package else (),
    )
