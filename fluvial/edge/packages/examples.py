"""Examples as a task's loaders give them, made plain: arrays of one length, and who they are of.

Shapes: B examples. inputs: one array, or several in a tuple or by name, each of B rows; targets B rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Inputs = Array | tuple[Array, ...] | Mapping[str, Array]
Groups = Mapping[str, tuple[NDArray[np.int64], tuple[str, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Examples:
    """inputs: what the model is called with: one array alone, a tuple by position, a mapping by keyword. groups: by
    attribute (site, sex, age) int64[B] and the names of its groups. people: int64[B], whose example each is; None where
    each is another person's."""

    inputs: Inputs
    targets: Array
    groups: Groups = field(default_factory=dict)
    people: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for what are no examples, for arrays of several lengths, and for values that are not
        finite."""
        if not self.arrays():
            raise ValueError("examples without inputs")
        for name, array in [*self.arrays().items(), ("targets", self.targets)]:
            if array.dtype.kind not in "fiub":
                raise ValueError(f"{name} are {array.dtype}, which are no numbers")
            if array.ndim == 0 or len(array) != len(self.targets):
                rows = len(array) if array.ndim else 0
                raise ValueError(f"{rows} rows of {name} and {len(self.targets)} targets do not belong together")
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ValueError(f"the {name} are not all finite")
        for attribute, (members, names) in self.groups.items():
            if members.shape != (len(self),) or not ((members >= 0) & (members < len(names))).all():
                raise ValueError(f"the groups of {attribute} must be the number of a named group for each example")

    def __len__(self) -> int:
        return len(self.targets)

    def arrays(self) -> dict[str, Array]:
        """The inputs by a name for messages."""
        if isinstance(self.inputs, Mapping):
            return {f"inputs {name}": array for name, array in self.inputs.items()}
        if isinstance(self.inputs, tuple):
            return {f"inputs {number}": array for number, array in enumerate(self.inputs)}
        return {"inputs": self.inputs}

    def first(self) -> Examples:
        """The first example alone, without groups."""
        return Examples(inputs=_rows_of(self.inputs, slice(1)), targets=self.targets[:1])

    def chosen(self, rows: NDArray[np.bool_]) -> Examples:
        """Those of the rows, bool[B], with their groups and people."""
        return Examples(
            inputs=_rows_of(self.inputs, rows),
            targets=self.targets[rows],
            groups={attribute: (members[rows], names) for attribute, (members, names) in self.groups.items()},
            people=None if self.people is None else self.people[rows],
        )

    @classmethod
    def of(cls, found: object, loader: str = "the loader") -> Examples:
        """What a loader returned: Examples, anything with `inputs` and `targets` (a data file's set), or a tuple of
        inputs, targets and perhaps groups, a list of labels for each attribute.

        Arrays may be torch's. Raises ValueError, naming the loader, for what is none of these and for no examples.
        """
        try:
            examples = cls._made(found)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{loader} does not give examples: {error}") from error
        if not len(examples):
            raise ValueError(f"{loader} yields nothing: there must be at least one example")
        return examples

    @classmethod
    def _made(cls, found: object) -> Examples:
        if isinstance(found, Examples):
            return found
        inputs, targets = getattr(found, "inputs", None), getattr(found, "targets", None)
        if inputs is not None and targets is not None:
            groups, people = getattr(found, "groups", {}), getattr(found, "people", None)
            return cls(inputs=_inputs(inputs), targets=np.asarray(targets), groups=groups, people=people)
        if not isinstance(found, tuple) or len(found) not in (2, 3):
            raise ValueError(f"it returned {type(found).__name__}; (inputs, targets) or (inputs, targets, groups) do")
        labels = found[2] if len(found) == 3 else {}
        if not isinstance(labels, Mapping):
            raise ValueError("groups are a mapping from attribute to the label of each example")
        named = {str(attribute): _numbered(values) for attribute, values in labels.items()}
        return cls(inputs=_inputs(found[0]), targets=np.asarray(found[1]), groups=named)


def joined(parts: Sequence[Examples]) -> Examples:
    """The examples of several participants, one after the other, without groups. Raises ValueError for none, and for
    inputs that are not alike."""
    if not parts:
        raise ValueError("no examples to join")
    first = parts[0].inputs
    if len({tuple(part.arrays()) for part in parts}) != 1:
        raise ValueError("examples with different inputs cannot be joined")
    arrays = [np.concatenate(columns) for columns in zip(*(part.arrays().values() for part in parts), strict=True)]
    inputs: Inputs
    if isinstance(first, Mapping):
        inputs = dict(zip(first, arrays, strict=True))
    elif isinstance(first, tuple):
        inputs = tuple(arrays)
    else:
        (inputs,) = arrays
    return Examples(inputs=inputs, targets=np.concatenate([part.targets for part in parts]))


def _rows_of(inputs: Inputs, rows: Any) -> Inputs:
    if isinstance(inputs, Mapping):
        return {name: array[rows] for name, array in inputs.items()}
    return tuple(array[rows] for array in inputs) if isinstance(inputs, tuple) else inputs[rows]


def _inputs(values: Any) -> Inputs:
    if isinstance(values, Mapping):
        return {str(name): np.asarray(array) for name, array in values.items()}
    if isinstance(values, tuple):
        return tuple(np.asarray(array) for array in values)
    return np.asarray(values)


def _numbered(labels: Sequence[Any]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    names = sorted({str(label) for label in labels})
    numbers = {name: number for number, name in enumerate(names)}
    return np.array([numbers[str(label)] for label in labels], np.int64), tuple(names)
