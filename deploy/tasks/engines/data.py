"""Windows of an engine's readings, and how many cycles it has left after each.

Files, as `prepare.py` makes them: readings float16[N, 14] of engines one after the other, scaled; lengths int16[E],
the cycles that are there of each engine; after int16[E], the cycles that it ran on after them (0 for one that is seen
to fail); fleet int8[E].
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from fluvial.edge.packages.examples import Examples

WINDOW = 30
"""Cycles that the network looks back on."""

STEP = 2
"""Cycles from one window of training to the next."""

EVALUATION_STEP = 10
MOST = 125
"""A healthy engine does not show how far off its failure is: what remains is counted up to here, as is usual with these
data (Heimes, 2008, "Recurrent Neural Networks for Remaining Useful Life Estimation")."""

FLEETS = ("up to 164", "165-186", "187-200", "201-214", "215-245", "above 245")
"""Cycles from first use to failure of a fleet's engines."""

Readings = NDArray[np.float32]
Labels = dict[str, list[str]]


def load(data: Path, index: int) -> tuple[Readings, Readings]:
    """Windows float32[B, 30, 14] of a fleet's engines up to their failure, and cycles that remain, float32[B]."""
    file = Path(data) / f"fleet-{index + 1}.safetensors"
    if not file.exists():
        raise ValueError(f"there is no {file.name} in {data}: the fleets are {len(FLEETS)}")
    parts = [_windows(readings, after, STEP) for readings, after, _ in _engines(file)]
    return _joined(parts)


def evaluation(folder: Path) -> tuple[Readings, Readings, Labels]:
    """The newest window of each engine of the test set, and those that ended 10, 20 and 30 cycles before; by the
    engine's fleet, and by what remains."""
    engines = list(_engines(Path(folder) / "evaluation.safetensors"))
    parts = [_windows(readings, after, EVALUATION_STEP) for readings, after, _ in engines]
    windows, remaining = _joined(parts)
    fleets = [FLEETS[fleet] for (_, _, fleet), (_, each) in zip(engines, parts, strict=True) for _ in each]
    return windows, remaining, {"life": fleets, "remaining": [_band(cycles) for cycles in remaining]}


def gate(folder: Path) -> Examples:
    """What variants of the model are measured on: of every other engine all windows of the evaluation set, with whose
    they are."""
    engines = list(_engines(Path(folder) / "evaluation.safetensors"))[::2]
    parts = [_windows(readings, after, EVALUATION_STEP) for readings, after, _ in engines]
    windows, remaining = _joined(parts)
    engine = np.repeat(np.arange(len(parts)), [len(each) for _, each in parts])
    fleet = np.array([fleet for _, _, fleet in engines], np.int64)[engine]
    return Examples(inputs=windows, targets=remaining, groups={"life": (fleet, FLEETS)}, people=engine)


def calibration(folder: Path) -> tuple[Readings, Readings]:
    """What variants may be calibrated with: windows of the evaluation set's engines that are not in the gate set."""
    others = list(_engines(Path(folder) / "evaluation.safetensors"))[1::2]
    return _joined([_windows(readings, after, EVALUATION_STEP) for readings, after, _ in others])


def _engines(file: Path) -> Iterator[tuple[Readings, int, int]]:
    """Of each engine: its readings float32[T, 14], the cycles that it ran on after them, and its fleet."""
    arrays = load_file(file)
    ends = np.cumsum(arrays["lengths"].astype(np.int64))
    for end, length, after, fleet in zip(ends, arrays["lengths"], arrays["after"], arrays["fleet"], strict=True):
        yield arrays["readings"][end - length : end].astype(np.float32), int(after), int(fleet)


def _windows(readings: Readings, after: int, step: int) -> tuple[Readings, Readings]:
    """From the newest window on, every `step` cycles back."""
    ends = np.arange(len(readings), WINDOW - 1, -step)
    windows = np.stack([readings[end - WINDOW : end] for end in ends])
    return windows, np.minimum(len(readings) - ends + after, MOST).astype(np.float32)


def _joined(parts: list[tuple[Readings, Readings]]) -> tuple[Readings, Readings]:
    return np.concatenate([windows for windows, _ in parts]), np.concatenate([remaining for _, remaining in parts])


def _band(cycles: float) -> str:
    return "below 50" if cycles < 50 else "50-124" if cycles < MOST else "125 and more"
