"""Data files of the example tasks: safetensors with `inputs`, `targets` and, for participants, `group`.

inputs: float32[B, ...], or uint8[B, ...] for images, which become float32 in [0, 1]. targets: int64[B]. group:
int64[B], the participant whose example it is.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Examples: inputs float32[B, ...], targets int64[B]."""

    inputs: NDArray[np.float32]
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.targets)


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


def num_participants(path: Path | str) -> int:
    """Participants that the file has examples of; they are numbered from 0. Raises as `load_participant`."""
    return len(np.unique(_load(path, "group")["group"]))


def load_evaluation(path: Path | str, called: str = "") -> Dataset:
    """The evaluation set. Raises ValueError if there is no such data file, which calls it by that name."""
    tensors = _load(path, "inputs", "targets", called=called)
    return _dataset(tensors["inputs"], tensors["targets"])


def _load(path: Path | str, *names: str, called: str = "") -> dict[str, NDArray[np.generic]]:
    shown = called or str(path)
    try:
        tensors: dict[str, NDArray[np.generic]] = load_file(path)
    except FileNotFoundError as error:
        raise ValueError(f"there is no data at {shown}") from error
    except OSError as error:
        raise ValueError(f"{shown} cannot be read: {error.strerror or error}") from error
    except (SafetensorError, TypeError, KeyError) as error:  # not safetensors, or of a type that numpy does not have
        raise ValueError(f"{shown} is no data file: {error}") from error
    missing = sorted(set(names) - set(tensors))
    if missing or len({tensors[name].shape[:1] for name in names} - {()}) != 1:
        raise ValueError(f"{shown} is no data file: it needs {', '.join(names)} of one length")
    wrong = [name for name in names if name != "inputs" and not _is_list_of_integers(tensors[name])]
    if wrong:
        raise ValueError(f"{shown} is no data file: {' and '.join(wrong)} must be lists of whole numbers")
    if "inputs" in names and tensors["inputs"].dtype.kind not in "fiu":
        raise ValueError(f"{shown} is no data file: inputs are {tensors['inputs'].dtype}, which are no numbers")
    return tensors


def _is_list_of_integers(tensor: NDArray[np.generic]) -> bool:
    return tensor.ndim == 1 and tensor.dtype.kind in "iu"


def _dataset(inputs: NDArray[np.generic], targets: NDArray[np.generic]) -> Dataset:
    values = inputs.astype(np.float32)
    if inputs.dtype == np.uint8:
        values /= np.float32(255)
    return Dataset(inputs=values, targets=targets.astype(np.int64))
