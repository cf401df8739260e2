"""Examples as a task's loaders give them, made plain: arrays of one length, and who they are of.

Shapes: B examples. inputs: one array, or several in a tuple or by name, each of B rows; targets B rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.packages.errors import FAULTS, in_words

Array = NDArray[Any]
Inputs = Array | tuple[Array, ...] | Mapping[str, Array]
Groups = Mapping[str, tuple[NDArray[np.int64], tuple[str, ...]]]


_MAX_NAME = 256
"""Of an attribute or a group: what is measured of it goes into records, pages and the audit log."""


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
                raise ValueError(f"{name} are {_kind(array)}")
            if array.ndim == 0 or len(array) != len(self.targets):
                rows = len(array) if array.ndim else 0
                raise ValueError(f"{rows} rows of {name} and {len(self.targets)} targets do not belong together")
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ValueError(f"the {name} are not all finite")
        for attribute, (members, names) in self.groups.items():
            if members.shape != (len(self),) or not ((members >= 0) & (members < len(names))).all():
                raise ValueError(f"the groups of {attribute} must be the number of a named group for each example")
            can_be_written = all(map(_can_be_written, (attribute, *names)))
            if not attribute or not can_be_written or len(set(names)) < len(names):
                raise ValueError(
                    f"an attribute and each of its groups need a name of their own, of at most {_MAX_NAME} "
                    f"characters: not so {attribute[:_MAX_NAME]!r}"
                )

    def __len__(self) -> int:
        return len(self.targets)

    def arrays(self) -> dict[str, Array]:
        """The inputs by a name for messages."""
        if isinstance(self.inputs, Mapping):
            return {f"inputs {name}": array for name, array in self.inputs.items()}
        if isinstance(self.inputs, tuple):
            return {f"inputs {number}": array for number, array in enumerate(self.inputs)}
        return {"inputs": self.inputs}

    def described(self) -> str:
        """Shapes and dtypes of an example's inputs and target, for messages."""
        arrays = {**self.arrays(), "targets": self.targets}
        return ", ".join(f"{name} of shape {list(array.shape[1:])} ({array.dtype})" for name, array in arrays.items())

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
        """What a loader returned: Examples, anything with `inputs` and `targets` (a data file's set), a tuple of
        inputs, targets and perhaps groups, a list of labels for each attribute, or a set of pairs of an input and a
        target, by number, as torch has them.

        Arrays may be torch's or pandas'. Raises ValueError, naming the loader, for what is none of these and for no
        examples.
        """
        try:
            examples = cls._made(found)
        except FAULTS as error:  # a set of pairs is code of the package, too
            why = str(error) if isinstance(error, (ValueError, TypeError)) else in_words(error)
            raise ValueError(f"{loader} does not give examples: {why}") from error
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
            return cls(inputs=_inputs(inputs), targets=plain(targets), groups=groups, people=people)
        if _is_set_of_pairs(found):
            found = _columns(found)
        if not isinstance(found, tuple) or len(found) not in (2, 3):
            kind = type(found).__name__
            hint = ": what it draws from is" if kind == "DataLoader" else ""
            raise ValueError(
                f"it returned {kind}; (inputs, targets), (inputs, targets, groups) or a set of pairs are examples{hint}"
            )
        labels = found[2] if len(found) == 3 else {}
        if not isinstance(labels, Mapping):
            raise ValueError("groups are a mapping from attribute to the label of each example")
        named = {str(attribute): _numbered(values) for attribute, values in labels.items()}
        return cls(inputs=_inputs(found[0]), targets=plain(found[1]), groups=named)


def _can_be_written(name: str) -> bool:
    """In a record; halves of a character of UTF-16 cannot."""
    return len(name) <= _MAX_NAME and not any("\ud800" <= character <= "\udfff" for character in name)


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


def plain(values: Any) -> Array:
    """Values as an array of numpy, in this machine's byte order, with floating ones of at most 64 bits: of a tensor
    (torch), wherever it lies, of a table or column (pandas), of lists. Raises ValueError for masked values, and as
    numpy and torch do."""
    if hasattr(values, "detach"):  # a tensor of torch, which is not imported for it
        values = values.detach().cpu()
        if str(values.dtype) == "torch.bfloat16":  # numpy has none
            values = values.float()
    if np.ma.is_masked(values):  # type: ignore[no-untyped-call]
        raise ValueError("some values are masked: fill them, or leave their examples out")
    try:
        array = np.asarray(values)
    except ValueError as error:
        if not isinstance(values, (list, tuple)):
            raise
        raise ValueError(f"rows of different lengths are no array, pad them to one: {error}") from error
    if array.dtype.kind == "O" and array.ndim and all(map(_is_number, array.flat)):  # columns of several types
        array = np.array(array.tolist())
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _inputs(values: Any) -> Inputs:
    if isinstance(values, Mapping):
        return {str(name): plain(array) for name, array in values.items()}
    if isinstance(values, tuple):
        return tuple(plain(array) for array in values)
    return plain(values)


def _kind(array: Array) -> str:
    """What an array without numbers holds, and what to do about it."""
    if array.dtype.kind != "O":
        text = ": give each word a number, classes from 0 on" if array.dtype.kind in "US" else ""
        return f"{array.dtype}, which are no numbers{text}"
    if not array.ndim:
        return f"{type(array.item()).__name__}, which are no numbers: make an array of it, by .toarray() for example"
    held = next((one for one in array.flat if not _is_number(one)), None)
    return f"objects, which are no numbers: {type(held).__name__} is among them"


def _is_number(value: object) -> bool:
    return isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating))


def _is_set_of_pairs(found: object) -> bool:
    """Whether these are examples one by one, as `torch.utils.data.Dataset` has them."""
    no_set = (
        isinstance(found, (tuple, list, str, bytes, Mapping)) or hasattr(found, "dtype") or hasattr(found, "columns")
    )
    return not no_set and hasattr(found, "__getitem__") and hasattr(found, "__len__")


def _columns(found: Any) -> tuple[Any, Any]:
    """Inputs and targets of a set of pairs."""
    pairs = [found[number] for number in range(len(found))]
    if not pairs:
        return np.zeros((0, 1)), np.zeros(0)
    if not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in pairs):
        kinds = ", ".join(sorted({type(pair).__name__ for pair in pairs}))
        raise ValueError(f"it returned {type(found).__name__} of {kinds}, not of pairs of an input and a target")
    first, targets = pairs[0][0], np.stack([plain(target) for _, target in pairs])
    if isinstance(first, Mapping):
        return {name: np.stack([plain(one[name]) for one, _ in pairs]) for name in first}, targets
    if isinstance(first, tuple):
        return tuple(np.stack([plain(one[place]) for one, _ in pairs]) for place in range(len(first))), targets
    return np.stack([plain(one) for one, _ in pairs]), targets


def _numbered(labels: Sequence[Any]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    names = sorted({str(label) for label in labels})
    numbers = {name: number for number, name in enumerate(names)}
    return np.array([numbers[str(label)] for label in labels], np.int64), tuple(names)
