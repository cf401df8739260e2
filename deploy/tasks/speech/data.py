"""The speakers' spectrograms, and those that models are measured on."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.packages.examples import Examples

Spectrograms = NDArray[np.float32]
Digits = NDArray[np.int64]

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "yweweler", "theo")
UNHEARD = "theo"
"""Whom no participant has: the last, so that the others' numbers are the participants'."""


UNIT, LEAST_DEVIATION = 64, 0.25
"""Of a spectrogram's values: 64 are 15 decibels. What is added to a band's deviation, so that silence is not
amplified."""


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


def gate(folder: Path) -> Examples:
    """What variants of the model are measured on: two of three recordings of the evaluation set, by speaker."""
    spectrograms, digits, speakers = _every(folder)
    kept = np.arange(len(digits)) % 3 != 0
    return Examples(inputs=spectrograms[kept], targets=digits[kept], groups={"speaker": (speakers[kept], SPEAKERS)})


def calibration(folder: Path) -> tuple[Spectrograms, Digits]:
    """What variants may be calibrated with: the recordings of the evaluation set that are not in the gate set."""
    spectrograms, digits, _ = _every(folder)
    return spectrograms[::3], digits[::3]


def _every(folder: Path) -> tuple[Spectrograms, Digits, NDArray[np.int64]]:
    with np.load(folder / "evaluation.npz", allow_pickle=False) as arrays:
        return scaled(arrays["spectrograms"]), arrays["digits"].astype(np.int64), arrays["speakers"].astype(np.int64)


def scaled(spectrograms: NDArray[np.uint8]) -> Spectrograms:
    """float32[B, 1, 24, 32] of uint8[B, 24, 32]: each band without its mean over the recording and divided by its
    deviation, which tell of the voice and the microphone more than of what was said. What follows a short recording
    stays 0 and does not count.

    Source: Viikki and Laurila, 1998, "Cepstral domain segmental feature vector normalization for noise robust speech
    recognition"; here of logarithmic bands.
    """
    values = spectrograms.astype(np.float32) / np.float32(UNIT)
    frames = np.arange(values.shape[2])
    last = np.where(values.any(axis=1), frames, 0).max(axis=1)
    spoken = (frames <= last[:, None])[:, None]
    number = spoken.sum(axis=2, keepdims=True, dtype=np.float32)
    centred = np.where(spoken, values - values.sum(axis=2, keepdims=True) / number, np.float32(0))
    deviation = np.sqrt((centred * centred).sum(axis=2, keepdims=True) / number)
    found: Spectrograms = centred / (deviation + np.float32(LEAST_DEVIATION))
    return found[:, None]
