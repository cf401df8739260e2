"""SYNTHETIC sensors, so that the package runs as it is: waves with noise, of another period at each station. Put your
own reading in their place."""

from pathlib import Path

import numpy as np

STATIONS, WINDOW = 8, 16


def load(data: Path, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows float32[B, WINDOW, 2] of the participant of this number, and the value after each, float32[B].

    data: the folder that it was told to read (`fluvial participate --data`); what is made up here does not need it.
    """
    if index >= STATIONS:
        raise ValueError(f"there are {STATIONS} stations")
    return _windows(station=index, number=150)


def evaluation(folder: Path) -> tuple[np.ndarray, np.ndarray, dict[str, list[str]]]:
    """What published models are measured on, and the station of each example. folder: of this package."""
    parts = [_windows(station=station, number=50, seed=1) for station in range(STATIONS)]
    windows, following = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return windows, following, {"station": [f"station-{station}" for station in range(STATIONS) for _ in range(50)]}


def _windows(station: int, number: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng([seed, station])
    times = np.arange(number + WINDOW)
    phase = 2 * np.pi * (times / (10 + station) + random.random())
    values = np.stack([np.sin(phase), np.cos(phase)], axis=1) + random.normal(0, 0.1, (len(times), 2))
    values = values.astype(np.float32)
    windows = np.stack([values[first : first + WINDOW] for first in range(number)])
    return windows, values[WINDOW:, 0]
