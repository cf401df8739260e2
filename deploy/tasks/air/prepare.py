"""Make the data files of the task air from the hourly measurements of twelve stations in Beijing.

    python -m deploy.tasks.air.prepare FOLDER

FOLDER holds PRSA_Data_STATION_20130301-20170228.csv of each station, gzipped or not. Source: Beijing Multi-Site Air
Quality, UCI Machine Learning Repository, dataset 501 (Song Chen, 2017), CC BY 4.0.

* Of four years, two are used: March 2015 to February 2016 whole, for the stations (data/), and of the year after it
  the first seven days of each month (evaluation.safetensors).
* Of the measurements, PM2.5, which keeps its gaps (-1), and the weather without rain. Weather is rounded to steps that
  fit a byte; the few hours without it have that of the hour before. Nothing is computed over several stations.
"""

import csv
import gzip
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from deploy.tasks.air.data import SCALES, STATIONS

HERE = Path(__file__).parent
WINDS = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")
WEATHER = ("TEMP", "DEWP", "PRES", "WSPM")
PRESSURE = 1013
FIRST, YEAR, DAY = 730 * 24, 366 * 24, 24
"""Hours from 1 March 2013 to the training year, of that year (with 29 February 2016), and of a day."""

KEPT_DAYS = 7
Arrays = dict[str, NDArray]


def read_station(folder: Path, station: str) -> list[dict[str, str]]:
    """Rows of a station, an hour each. Raises ValueError for a file that is not there or has another length."""
    name = f"PRSA_Data_{station}_20130301-20170228.csv"
    path = next((path for path in (folder / f"{name}.gz", folder / name) if path.exists()), None)
    if path is None:
        raise ValueError(f"there is no {name} in {folder}")
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    rows = list(csv.DictReader(text.splitlines()))
    if len(rows) != 1461 * DAY:
        raise ValueError(f"{path} has {len(rows)} hours, not the {1461 * DAY} of four years")
    return rows


def arrays_of(rows: list[dict[str, str]]) -> Arrays:
    """The columns pm, weather and wind, as data.py describes them, of T hours."""
    pm = [-1 if row["PM2.5"] == "NA" else round(float(row["PM2.5"])) for row in rows]
    weather = np.stack([_carried([_number(row[name]) for row in rows]) for name in WEATHER], axis=1)
    weather[:, WEATHER.index("PRES")] -= PRESSURE
    wind = _carried([WINDS.index(row["wd"]) if row["wd"] in WINDS else None for row in rows])
    return {
        "pm": np.array(pm, np.int16),
        "weather": np.clip(np.rint(weather / SCALES), -128, 127).astype(np.int8),
        "wind": wind.astype(np.int8),
    }


def weeks_of(arrays: Arrays, months: list[str]) -> Arrays:
    """The first days of each month, [12, hours, ...]. months: of each hour."""
    starts = [hour for hour, month in enumerate(months) if hour == 0 or month != months[hour - 1]]
    kept = KEPT_DAYS * DAY
    return {name: np.stack([array[start : start + kept] for start in starts]) for name, array in arrays.items()}


def main(source: Path) -> None:
    """Write the data files beside this one."""
    (HERE / "data").mkdir(exist_ok=True)
    weeks = []
    for station in STATIONS:
        rows = read_station(source, station)
        year = arrays_of(rows[FIRST : FIRST + YEAR])
        save_file({name: array[None] for name, array in year.items()}, HERE / "data" / f"{station}.safetensors")
        later = rows[FIRST + YEAR :]
        weeks.append(weeks_of(arrays_of(later), [row["month"] for row in later]))
    save_file({name: np.stack([week[name] for week in weeks]) for name in weeks[0]}, HERE / "evaluation.safetensors")


def _number(text: str) -> float | None:
    return None if text == "NA" else float(text)


def _carried(values: list[float | None] | list[int | None]) -> NDArray[np.float64]:
    """Each gap with the value before it; one at the start with the first that there is."""
    carried = next(float(value) for value in values if value is not None)
    found = []
    for value in values:
        carried = carried if value is None else float(value)
        found.append(carried)
    return np.array(found)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
