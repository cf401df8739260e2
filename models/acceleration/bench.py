"""Variants beside the float32 model on the task's gate set: by workers, and by whoever verifies what they signed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fluvial.edge.training.task_code import TaskCode
from fluvial.inference.compared import Compared, compared
from fluvial.wire.records import Measurement
from fluvial.wire.task_file import TaskFile
from models.acceleration.example_sets import ExampleSet


def before_pruning(task_file: TaskFile) -> TaskFile:
    """The task with the module as it was before it was pruned to be tuned."""
    return task_file.model_copy(update={"tunes": None})


def outputs_of(code: TaskCode, model: NDArray[np.float32], inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Outputs float32[B, ...] of the task's module with this flat model, float32[D]. Raises ValueError for one that
    does not fit."""
    state = code.state()
    state.load(model)
    module = state.module.eval()
    with torch.inference_mode():
        parts = [module(batch).float() for batch in torch.split(torch.from_numpy(inputs), 512)]
    return torch.cat(parts).numpy()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bench:
    """What variants are measured on. reference: outputs of the float32 model. metrics: of the policy."""

    gate: ExampleSet
    reference: NDArray[np.float32]
    metrics: tuple[str, ...]

    def compared(self, outputs: NDArray[np.float32], artefact_sha256: bytes) -> Compared:
        """A variant's outputs beside the reference's, by the policy's metrics. Raises ValueError for metrics that do
        not fit the targets."""
        examples = self.gate.examples
        if {"accuracy", "recall"} & set(self.metrics) and examples.targets.dtype.kind == "f":
            raise ValueError("accuracy and recall need classes; name mae or rmse in the policy's metrics instead")
        return compared(
            self.reference,
            outputs,
            metrics=self.metrics,
            seed=artefact_sha256,
            targets=examples.targets,
            groups=examples.groups,
            people=examples.people,
        )


LEAST_CHANGED = 0.001
"""Share of a group's examples whose answers may change between two processors of one class, and one example in any
case: an answer may hang in the balance."""


def differences(recorded: Measurement, found: Compared) -> list[str]:
    """Where a measurement on the same set, runtime and class of processors is another, in words."""
    words = []
    there = {(each.metric, each.group): each for each in recorded.counts}
    here = {(each.metric, each.group): each for each in found.counts}
    for metric, group in sorted(there.keys() | here.keys()):
        one, other = there.get((metric, group)), here.get((metric, group))
        if one is None or other is None:
            words.append(f"{metric} of {group} is {'not recorded' if one is None else 'recorded, but not measured'}")
            continue
        size = one.both + one.harmed + one.helped + one.neither
        changed = max(abs(one.harmed - other.harmed), abs(one.helped - other.helped))
        if changed > max(1, LEAST_CHANGED * size):
            words.append(
                f"{metric} of {group}: {one.harmed} harmed, {one.helped} helped; here {other.harmed}, {other.helped}"
            )
    drawn = {(each.metric, each.group): each for each in recorded.drops}
    again = {(each.metric, each.group): each for each in found.drops}
    for metric, group in sorted(drawn.keys() | again.keys()):
        bounds = [each.bound if (each := of.get((metric, group))) else None for of in (drawn, again)]
        if None in bounds or abs((bounds[0] or 0.0) - (bounds[1] or 0.0)) > LEAST_CHANGED * max(
            1.0, abs(bounds[0] or 0.0)
        ):
            words.append(f"{metric} of {group}: bound {bounds[0]}; here {bounds[1]}")
    return words
