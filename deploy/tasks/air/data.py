"""A station's days, and the fine dust (PM2.5) that it measured six hours later.

A station that falls silent goes on with the last concentration that it measured; the model is told for each hour
whether there was a measurement. What is forecast is always a measurement.

Files, as `prepare.py` makes them: pm int16[S, T], µg/m³ each hour of S stretches of T hours that begin at midnight, -1
where nothing was measured; weather int8[S, T, 4], temperature, dew point, pressure and wind speed in steps of SCALES;
wind int8[S, T], the direction as one of 16 winds, clockwise from north. The evaluation set has them for each station.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from fluvial.edge.packages.examples import Examples

WINDOW, AHEAD, STEP = 24, 6, 5
"""Hours that the network looks back on, that it looks ahead, and from one window to the next. A step that is no divisor
of 24 meets every hour of the day."""

_WINDOWS_A_DAY = 5

SCALES = np.array([1 / 3, 1 / 2, 1 / 2, 1 / 8], np.float32)
"""Steps of the weather: °C, °C, hPa (from 1013), m/s."""

STATIONS = (
    "Aotizhongxin",
    "Changping",
    "Dingling",
    "Dongsi",
    "Guanyuan",
    "Gucheng",
    "Huairou",
    "Nongzhanguan",
    "Shunyi",
    "Tiantan",
    "Wanliu",
    "Wanshouxigong",
)
_TYPICAL = np.array([20, 20, 10, 2], np.float32)

Values = NDArray[np.float32]
Arrays = dict[str, NDArray]


def load(data: Path, index: int) -> tuple[Values, Values]:
    """Windows float32[B, 24, 10] of a station's year, and the concentration six hours after each, float32[B]."""
    if index >= len(STATIONS):
        raise ValueError(f"there are {len(STATIONS)} stations")
    windows, later, _ = _examples(load_file(Path(data) / f"{STATIONS[index]}.safetensors"))
    return windows, later


def evaluation(folder: Path) -> tuple[Values, Values, dict[str, list[str]]]:
    """A week of each month of the following year, by station and by whether it was silent within the window."""
    every = load_file(Path(folder) / "evaluation.safetensors")
    parts = [_examples({name: array[station] for name, array in every.items()}) for station in range(len(STATIONS))]
    windows, later, silent = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    stations = [name for name, part in zip(STATIONS, parts, strict=True) for _ in part[1]]
    return windows, later, {"station": stations, "silent": ["for hours" if each else "never" for each in silent]}


def gate(folder: Path) -> Examples:
    """What variants of the model are measured on: every other month of the evaluation set, by station. Windows overlap,
    so a day of a station is resampled as one (Künsch, 1989, "The Jackknife and the Bootstrap for General Stationary
    Observations")."""
    parts = _weeks(folder, 0)
    sizes = [len(later) for _, _, later in parts]
    days = [np.arange(size) // _WINDOWS_A_DAY for size in sizes]
    first = np.cumsum([0, *(each[-1] + 1 for each in days[:-1])])
    return Examples(
        inputs=np.concatenate([windows for _, windows, _ in parts]),
        targets=np.concatenate([later for _, _, later in parts]),
        groups={"station": (np.repeat([station for station, _, _ in parts], sizes).astype(np.int64), STATIONS)},
        people=np.concatenate([each + start for each, start in zip(days, first, strict=True)]),
    )


def calibration(folder: Path) -> tuple[Values, Values]:
    """What variants may be calibrated with: the months of the evaluation set that are not in the gate set."""
    parts = _weeks(folder, 1)
    return np.concatenate([windows for _, windows, _ in parts]), np.concatenate([later for _, _, later in parts])


def _weeks(folder: Path, first: int) -> list[tuple[int, Values, Values]]:
    """Of every other week from `first` on, by station: its number, windows, and what came later."""
    every = load_file(Path(folder) / "evaluation.safetensors")
    weeks = range(first, every["pm"].shape[1], 2)
    return [
        (station, *_of_stretch(*(every[name][station, week] for name in ("pm", "weather", "wind")))[:2])
        for station in range(len(STATIONS))
        for week in weeks
    ]


def _examples(arrays: Arrays) -> tuple[Values, Values, NDArray[np.bool_]]:
    """Windows, what came after each, and whether a measurement is missing in it."""
    parts = [_of_stretch(*stretch) for stretch in zip(arrays["pm"], arrays["weather"], arrays["wind"], strict=True)]
    windows, later, silent = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return windows, later, silent


def features(pm: NDArray, weather: NDArray, wind: NDArray, first_hour: int = 0, before: int = 0) -> Values:
    """float32[T, 10] of T hours in a row, as the arrays of a file have them. first_hour: of the day, of the first.
    before: the newest concentration that was measured before these hours."""
    measured = pm >= 0
    newest = _newest(pm)
    hours = (first_hour + np.arange(len(pm))) * (2 * np.pi / 24)
    directions = wind * (2 * np.pi / 16)
    columns = [
        np.where(newest >= 0, pm[newest], before) / 100,
        measured,
        *(weather * SCALES / _TYPICAL).T,
        *(np.sin(directions), np.cos(directions), np.sin(hours), np.cos(hours)),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _newest(pm: NDArray) -> NDArray[np.int64]:
    """By hour the hour of the newest measurement, -1 where there was none yet."""
    newest: NDArray[np.int64] = np.maximum.accumulate(np.where(pm >= 0, np.arange(len(pm)), -1))
    return newest


def _of_stretch(pm: NDArray, weather: NDArray, wind: NDArray) -> tuple[Values, Values, NDArray[np.bool_]]:
    measured, newest = pm >= 0, _newest(pm)
    values = features(pm, weather, wind)
    ends = np.arange(WINDOW, len(pm) - AHEAD + 1, STEP)
    ends = ends[measured[ends + AHEAD - 1] & (newest[ends - 1] >= 0)]
    windows = np.stack([values[end - WINDOW : end] for end in ends])
    silent = np.array([not measured[end - WINDOW : end].all() for end in ends])
    return windows, pm[ends + AHEAD - 1].astype(np.float32), silent
