"""The speakers' spectrograms, and those that models are measured on."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Spectrograms = NDArray[np.float32]
Digits = NDArray[np.int64]

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "yweweler", "theo")
UNHEARD = "theo"
"""Whom no participant has: the last, so that the others' numbers are the participants'."""


def load(data: Path, index: int) -> tuple[Spectrograms, Digits]:
    """Spectrograms float32[B, 1, 24, 32] of one speaker, and the digits that were spoken.

    data: the folder that `fluvial participate --data` names; the speaker's file in it is speaker-INDEX.npz. Raises
    ValueError where there is none.
    """
    file = data / f"speaker-{index}.npz"
    if not file.is_file():
        raise ValueError(f"there is no {file.name} in {data}")
    with np.load(file, allow_pickle=False) as arrays:
        return scaled(arrays["spectrograms"]), arrays["digits"].astype(np.int64)


def evaluation(folder: Path) -> tuple[Spectrograms, Digits, Mapping[str, list[str]]]:
    """Other recordings of the participants' speakers, and those of one whom nobody has. folder: of this package."""
    with np.load(folder / "evaluation.npz", allow_pickle=False) as arrays:
        speakers = [SPEAKERS[speaker] for speaker in arrays["speakers"]]
        heard = ["nobody's" if speaker == UNHEARD else "a participant's" for speaker in speakers]
        groups = {"speaker": speakers, "voice": heard}
        return scaled(arrays["spectrograms"]), arrays["digits"].astype(np.int64), groups


def scaled(spectrograms: NDArray[np.uint8]) -> Spectrograms:
    """float32[B, 1, 24, 32] of uint8[B, 24, 32]: each band without its mean over the recording, which tells of the
    voice and the microphone more than of what was said. Source: Atal, 1974, on cepstral mean subtraction, here of
    logarithmic bands."""
    values = spectrograms[:, None].astype(np.float32) / np.float32(64)
    return values - values.mean(axis=3, keepdims=True)
