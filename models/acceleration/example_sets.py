"""The sets that variants are built and measured with: calibration and gate, by name."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.packages.examples import Examples
from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.task_code import is_reference


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExampleSet:
    """Examples with one array of inputs, float32[B, ...]. sha256: of the file, or of what the loader gave."""

    inputs: NDArray[np.float32]
    examples: Examples
    sha256: bytes


def load_set(code: TaskCode, named: str) -> ExampleSet:
    """A set of the task, by its file or its package's loader. Raises ValueError for one that is not there, and for
    inputs that are not one array: an artefact has one input."""
    examples = code.examples(named)
    if not isinstance(examples.inputs, np.ndarray):
        raise ValueError(f"{named} has several inputs; a variant takes one array")
    digest = _digest(examples) if is_reference(named) else sha256(code.path(named).read_bytes()).digest()
    return ExampleSet(inputs=examples.inputs.astype(np.float32, copy=False), examples=examples, sha256=digest)


def check_apart(calibration: ExampleSet, gate: ExampleSet) -> None:
    """Raises ValueError where most calibration inputs are the gate's, under whatever names: a variant that was made
    with what it is measured on is flattered."""
    measured = {row.tobytes() for row in gate.inputs}
    shared = sum(row.tobytes() in measured for row in calibration.inputs)
    if 2 * shared > len(calibration.inputs):
        raise ValueError(f"{shared} of {len(calibration.inputs)} calibration inputs are of the gate: keep them apart")


def _digest(examples: Examples) -> bytes:
    """SHA-256 of all arrays, each after its name, type and shape, and of the groups' names."""
    digest = sha256()
    arrays = {**examples.arrays(), "targets": examples.targets}
    if examples.people is not None:
        arrays["people"] = examples.people
    for attribute, (members, names) in examples.groups.items():
        arrays[f"groups {attribute} {names}"] = members
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype.str} {array.shape};".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()
