"""Data files of tasks without loaders: safetensors with `inputs`, `targets` and, for participants, `group`.

Evaluation and gate sets may tell groups apart: for each attribute (sex, age, site) a tensor `groups.ATTRIBUTE`,
int64[B], the number of each example's group, and in the file's metadata under `groups` a JSON object with the names of
each attribute's groups, by number. `people`, int64[B], says whose example each is, where somebody gave several.

inputs: float32[B, ...], or uint8[B, ...] for images, which become float32 in [0, 1]. targets: int64[B]. group:
int64[B], the participant whose example it is; a file without it is of one participant, of number 0.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.safetensors import Stored, metadata_of, stored_in

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "<i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "<u1",
    "BOOL": "?",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Examples: inputs float32[B, ...], targets int64[B]."""

    inputs: NDArray[np.float32]
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupedDataset(Dataset):
    """Examples, and who they are of. groups: by attribute int64[B] and the names of its groups; none if the file tells
    none apart. people: int64[B], None where each example is another person's."""

    groups: dict[str, tuple[NDArray[np.int64], tuple[str, ...]]]
    people: NDArray[np.int64] | None = None


def load_participant(path: Path | str, participant_index: int) -> Dataset:
    """One participant's examples. Raises ValueError if it has none, or if there is no such data file."""
    tensors = _load(path, "inputs", "targets", "group")
    chosen = np.flatnonzero(tensors["group"] == participant_index)
    if not chosen.size:
        raise ValueError(f"{path} holds no examples of participant {participant_index}")
    return _dataset(tensors["inputs"][chosen], tensors["targets"][chosen])


def load_all_participants(path: Path | str) -> Dataset:
    """The examples of all participants: what a centrally trained model would see. Raises as `load_participant`."""
    tensors = _load(path, "inputs", "targets", "group")
    return _dataset(tensors["inputs"], tensors["targets"])


def load_by_participant(path: Path | str) -> tuple[Dataset, list[NDArray[np.int64]]]:
    """The examples of all participants, and the rows of each, ascending. Raises as `load_participant`."""
    tensors = _load(path, "inputs", "targets", "group")
    rows = [np.flatnonzero(tensors["group"] == number) for number in np.unique(tensors["group"])]
    return _dataset(tensors["inputs"], tensors["targets"]), rows


def num_participants(path: Path | str) -> int:
    """Participants that the file has examples of; they are numbered from 0. Raises as `load_participant`."""
    return len(np.unique(_load(path, "targets", "group")["group"]))


def load_evaluation(path: Path | str, called: str = "") -> Dataset:
    """The evaluation set. Raises ValueError if there is no such data file, which calls it by that name."""
    tensors = _load(path, "inputs", "targets", called=called)
    return _dataset(tensors["inputs"], tensors["targets"])


def load_grouped(path: Path | str, called: str = "") -> GroupedDataset:
    """A set with its groups. Raises ValueError as `load_evaluation`, and for groups that the file does not name."""
    shown = called or str(path)
    content = _content(path, shown)
    tensors = _tensors(content, shown, "inputs", "targets")
    dataset = _dataset(tensors["inputs"], tensors["targets"])
    try:
        names = json.loads(metadata_of(content).get("groups", "{}"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{shown} is no data file: its names of groups are no JSON") from error
    groups = {}
    for tensor_name, members in tensors.items():
        prefix, _, attribute = tensor_name.partition(".")
        if prefix != "groups":
            continue
        of_attribute = names.get(attribute) if isinstance(names, dict) else None
        if not isinstance(of_attribute, list) or not all(isinstance(name, str) for name in of_attribute):
            raise ValueError(f"{shown} is no data file: it does not name the groups of {attribute}")
        _check_members(shown, tensor_name, members, len(dataset))
        if members.size and not 0 <= members.min() <= members.max() < len(of_attribute):
            raise ValueError(f"{shown} is no data file: {tensor_name} has numbers without a name")
        groups[attribute] = members.astype(np.int64), tuple(of_attribute)
    people = tensors.get("people")
    if people is not None:
        _check_members(shown, "people", people, len(dataset))
        people = people.astype(np.int64)
    return GroupedDataset(inputs=dataset.inputs, targets=dataset.targets, groups=groups, people=people)


def _check_members(shown: str, name: str, members: NDArray[Any], num_examples: int) -> None:
    if not _is_list_of_integers(members) or len(members) != num_examples:
        raise ValueError(f"{shown} is no data file: {name} must hold {num_examples} whole numbers")


def _load(path: Path | str, *names: str, called: str = "") -> dict[str, NDArray[np.generic]]:
    shown = called or str(path)
    return _tensors(_content(path, shown), shown, *names)


def _content(path: Path | str, shown: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise ValueError(f"there is no data at {shown}") from error
    except OSError as error:
        why = "it is a folder" if Path(path).is_dir() else error.strerror or error
        raise ValueError(f"{shown} cannot be read: {why}") from error


def _tensors(content: bytes, shown: str, *names: str) -> dict[str, NDArray[np.generic]]:
    """The file's tensors, views of its content, among them those of these names in a form that can be used."""
    try:
        tensors = {stored.name: _tensor(stored) for stored in stored_in(content)}
    except ValueError as error:
        raise ValueError(f"{shown} is no data file: {error}") from error
    if "group" in names and "targets" in tensors:
        tensors.setdefault("group", np.zeros(tensors["targets"].shape[:1], np.int64))
    missing = sorted(set(names) - set(tensors))
    lengths = {tensors[name].shape[:1] for name in names if name in tensors}
    if missing or len(lengths) != 1 or () in lengths:
        raise ValueError(f"{shown} is no data file: it needs {', '.join(names)} of one length")
    wrong = [name for name in names if name != "inputs" and not _is_list_of_integers(tensors[name])]
    if wrong:
        raise ValueError(f"{shown} is no data file: {' and '.join(wrong)} must be lists of whole numbers")
    if "inputs" in names and tensors["inputs"].dtype.kind not in "fiu":
        raise ValueError(f"{shown} is no data file: inputs are {tensors['inputs'].dtype}, which are no numbers")
    return tensors


def _tensor(stored: Stored) -> NDArray[np.generic]:
    if stored.dtype not in _DTYPES:
        raise ValueError(f"tensor {stored.name} is of type {stored.dtype}, which numpy does not have")
    return np.frombuffer(stored.data, _DTYPES[stored.dtype]).reshape(stored.shape)


def _is_list_of_integers(tensor: NDArray[np.generic]) -> bool:
    return tensor.ndim == 1 and tensor.dtype.kind in "iu"


def _dataset(inputs: NDArray[np.generic], targets: NDArray[np.generic]) -> Dataset:
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which is refused where it matters
        values = inputs.astype(np.float32)
    if inputs.dtype == np.uint8:
        values /= np.float32(255)
    return Dataset(inputs=values, targets=targets.astype(np.int64))
