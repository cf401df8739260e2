"""Recordings stream in, digits come out: `python -m deploy.tasks.speech.live SOURCE --name NAME`.

SOURCE is a folder of .wav files (8 kHz, 16 bit, mono), which is watched for new ones until Ctrl-C, or a file of this
task (evaluation.npz, data/speaker-N.npz), whose recordings come one every `--every` seconds. Each is turned into a
spectrogram here and sent to the federation's released model; no recording leaves.

    13:05:41  7  0.99   3 ms  george-31.wav
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.tasks.live_client import arguments_of, client_of, run
from deploy.tasks.speech.data import Spectrograms, scaled
from deploy.tasks.speech.prepare import read_wav, spectrogram
from fluvial.inference.streaming import Answered, answers

_WATCH_SECONDS = 0.1
Example = tuple[str, NDArray[np.float32]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--every", type=float, default=0.5, help="seconds between recordings of a file")
    arguments = arguments_of(parser, "speech")
    right = told = 0
    with client_of(arguments) as client:
        for one in answers(client, arguments.task, recordings(arguments.source, arguments.every)):
            if not isinstance(one, Answered):
                print(f"{time.strftime('%H:%M:%S')}  ?  {one[0]}: {one[1]}", flush=True)
                continue
            digit, certainty = spoken(one.outputs)
            print(f"{time.strftime('%H:%M:%S')}  {digit}  {certainty:.2f}  {1000 * one.seconds:3.0f} ms  {one.label}")
            if (known := digit_of(one.label)) is not None:
                told, right = told + 1, right + (digit == known)
    if told:
        print(f"{right} of {told} digits right")


def recordings(source: Path, every: float) -> Iterator[Example]:
    """Name and spectrogram float32[1, 24, 32] of each recording, as they come. Raises ValueError for a source that is
    neither."""
    if source.is_dir():
        yield from _watched(source)
    elif source.suffix == ".npz" and source.is_file():
        yield from _played(source, every)
    else:
        raise ValueError(f"{source} is no folder of .wav files, and no .npz of the task")


def spoken(outputs: NDArray[np.float32]) -> tuple[int, float]:
    """The digit, and how certain the model says it is (softmax). outputs: float32[10], logits."""
    shares = np.exp(outputs - outputs.max())
    return int(outputs.argmax()), float(shares.max() / shares.sum())


def digit_of(name: str) -> int | None:
    """The digit that was spoken, where the name says it: DIGIT_SPEAKER_NUMBER, as the data set names recordings."""
    first = name.split("_")[0]
    return int(first) if first.isdecimal() and len(first) == 1 and "_" in name else None


def _watched(folder: Path) -> Iterator[Example]:
    seen: set[str] = set()
    while True:
        for path in sorted(folder.glob("*.wav")):
            if path.name in seen:
                continue
            try:
                example = of_samples(read_wav(path.read_bytes()))
            except (ValueError, EOFError, OSError):
                continue  # half written; the next look finds it whole
            seen.add(path.name)
            yield path.name, example
        time.sleep(_WATCH_SECONDS)


def _played(file: Path, every: float) -> Iterator[Example]:
    with np.load(file, allow_pickle=False) as arrays:
        spectrograms, digits = scaled(arrays["spectrograms"]), arrays["digits"]
    begin = time.monotonic()
    for number, example, digit in zip(itertools.count(), spectrograms, digits, strict=False):
        time.sleep(max(0.0, begin + number * every - time.monotonic()))
        yield f"{digit}_{file.stem}_{number}", example


def of_samples(samples: NDArray[np.float64]) -> Spectrograms:
    """float32[1, 24, 32] of a recording's samples in [-1, 1), as the model was trained on."""
    example: Spectrograms = scaled(spectrogram(samples)[None])[0]
    return example


if __name__ == "__main__":
    run(main)
