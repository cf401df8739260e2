"""Data files of the example tasks: safetensors with `inputs`, `targets` and, for participants, `group`.

inputs: float32[B, ...], or uint8[B, ...] for images, which become float32 in [0, 1]. targets: int64[B]. group:
int64[B], the participant whose example it is.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Examples: inputs float32[B, ...], targets int64[B]."""

    inputs: NDArray[np.float32]
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.targets)


def load_participant(path: Path | str, participant_index: int) -> Dataset:
    """One participant's examples. Raises ValueError if it has none, or if the file is not such a data file."""
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


def load_evaluation(path: Path | str) -> Dataset:
    """The evaluation set. Raises ValueError if the file is not such a data file."""
    tensors = _load(path, "inputs", "targets")
    return _dataset(tensors["inputs"], tensors["targets"])


def _load(path: Path | str, *names: str) -> dict[str, NDArray[np.generic]]:
    tensors: dict[str, NDArray[np.generic]] = load_file(path)
    missing = sorted(set(names) - set(tensors))
    if missing or len({len(tensors[name]) for name in names if name in tensors}) > 1:
        raise ValueError(f"{path} is no data file: it needs {', '.join(names)} of one length")
    return tensors


def _dataset(inputs: NDArray[np.generic], targets: NDArray[np.generic]) -> Dataset:
    values = inputs.astype(np.float32)
    if inputs.dtype == np.uint8:
        values /= np.float32(255)
    return Dataset(inputs=values, targets=targets.astype(np.int64))
