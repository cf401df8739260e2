"""Make the data files of the task speech from the Free Spoken Digit Dataset.

    python -m deploy.tasks.speech.prepare fsdd-train.zip

The source is a zip of recordings/DIGIT_SPEAKER_NUMBER.wav, 8 kHz, mono, 16 bit; of each speaker and digit the 45
recordings with NUMBER 5 to 49 (the official training part). Which are taken, of each speaker and digit, by number:

* 5 to 5 + NUM_EVALUATION: evaluation, of all six speakers. Nobody trains on anything of the speaker UNHEARD.
* the next NUM_TRAINING: the data of that speaker's participant, for the five others.

A recording becomes a spectrogram, without anybody else's recordings: the power spectrum of frames of FRAME samples
(Hann window), one every HOP samples, through BANDS triangular filters that are evenly spaced in mel; in decibels
against the recording's strongest value, where -RANGE and less is 0 and the strongest is 255. A recording of more than
FRAMES frames (0.8 s) is cut at its end; a shorter one is followed by zeros.

Files, for `numpy.load` without pickles: data/speaker-N.npz with spectrograms uint8[B, BANDS, FRAMES] and digits
int8[B]; evaluation.npz with spectrograms, digits and speakers int8[B], numbered as in SPEAKERS.
"""

import io
import re
import sys
import wave
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.tasks.speech.data import SPEAKERS, UNHEARD

HERE = Path(__file__).parent
RATE, FRAME, HOP, BANDS, FRAMES, RANGE = 8_000, 256, 200, 24, 32, 60.0
"""Samples a second, a frame and between frames; filters; frames of a spectrogram; decibels."""

FIRST_NUMBER, NUM_EVALUATION, NUM_TRAINING = 5, 9, 32

_NAME = re.compile(r"recordings/(\d)_([a-z]+)_(\d+)\.wav")


def read_wav(content: bytes) -> NDArray[np.float64]:
    """Samples in [-1, 1). Raises ValueError for another rate, width or number of channels."""
    with wave.open(io.BytesIO(content)) as file:
        if (file.getframerate(), file.getsampwidth(), file.getnchannels()) != (RATE, 2, 1):
            raise ValueError(f"recordings are of {RATE} Hz, 16 bit, mono")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_768


def filters() -> NDArray[np.float64]:
    """float64[BANDS, FRAME // 2 + 1]: triangles between BANDS + 2 points, evenly spaced in mel up to half the rate."""
    highest = 2_595 * np.log10(1 + RATE / 2 / 700)
    points = 700 * (10 ** (np.linspace(0, highest, BANDS + 2) / 2_595) - 1)
    frequencies = np.arange(FRAME // 2 + 1) * RATE / FRAME
    left, centre, right = points[:-2, None], points[1:-1, None], points[2:, None]
    rising, falling = (frequencies - left) / (centre - left), (right - frequencies) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling))


def spectrogram(samples: NDArray[np.float64]) -> NDArray[np.uint8]:
    """uint8[BANDS, FRAMES] of one recording."""
    padded = np.pad(samples, (0, max(0, FRAME - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP][:FRAMES]
    power = np.abs(np.fft.rfft(frames * np.hanning(FRAME), axis=1)) ** 2
    bands = filters() @ power.T
    found = np.zeros((BANDS, FRAMES), np.uint8)
    if bands.any():  # silence has no strongest value
        decibels = 10 * np.log10(np.maximum(bands / bands.max(), 1e-12))
        found[:, : len(frames)] = np.round(np.clip(1 + decibels / RANGE, 0, 1) * 255)
    return found


def read_recordings(source: Path) -> dict[tuple[int, int, int], NDArray[np.uint8]]:
    """Spectrograms by speaker, digit and number. Raises ValueError for a speaker who is not in SPEAKERS."""
    found = {}
    with zipfile.ZipFile(source) as archive:
        for name in sorted(archive.namelist()):
            if (match := _NAME.fullmatch(name)) is not None:
                digit, speaker, number = int(match[1]), match[2], int(match[3])
                if speaker not in SPEAKERS:
                    raise ValueError(f"{name} is of a speaker who is not one of {', '.join(SPEAKERS)}")
                found[SPEAKERS.index(speaker), digit, number] = spectrogram(read_wav(archive.read(name)))
    return found


def main(source: Path) -> None:
    """Write the data files beside this one."""
    recordings = read_recordings(source)
    last = FIRST_NUMBER + NUM_EVALUATION
    measured = {key: one for key, one in recordings.items() if FIRST_NUMBER <= key[2] < last}
    speakers, digits, _ = zip(*sorted(measured), strict=True)
    np.savez_compressed(
        HERE / "evaluation.npz",
        spectrograms=np.stack([measured[key] for key in sorted(measured)]),
        digits=np.array(digits, np.int8),
        speakers=np.array(speakers, np.int8),
    )
    (HERE / "data").mkdir(exist_ok=True)
    for number, speaker in enumerate(name for name in SPEAKERS if name != UNHEARD):
        own = SPEAKERS.index(speaker)
        trained = sorted(key for key in recordings if key[0] == own and last <= key[2] < last + NUM_TRAINING)
        np.savez_compressed(
            HERE / "data" / f"speaker-{number}.npz",
            spectrograms=np.stack([recordings[key] for key in trained]),
            digits=np.array([key[1] for key in trained], np.int8),
        )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
