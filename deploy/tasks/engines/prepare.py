"""Make the data files of the task engines from NASA's simulated turbofans (C-MAPSS, FD001).

    python -m deploy.tasks.engines.prepare FOLDER

FOLDER holds train_FD001.txt, test_FD001.txt and RUL_FD001.txt, gzipped or not, with or without a line of names. Source:
NASA Prognostics Data Repository, "Turbofan Engine Degradation Simulation"; a work of the US Government (public domain).

* Of 21 sensors, the 14 that change. Each is scaled by the constants below, round numbers, and nothing that is computed
  over engines, so each fleet can do it alone; then float16.
* The 100 engines of the training set, run until they fail, are dealt to six fleets by how long they lived: data/.
* Of the 100 engines of the test set the newest 60 cycles, or what there is: evaluation.safetensors. How long each ran
  on is what the file RUL says.
"""

import gzip
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

HERE = Path(__file__).parent
SENSORS: dict[int, tuple[float, float]] = {
    2: (642.7, 0.5),
    3: (1590.5, 6.0),
    4: (1409.0, 9.0),
    7: (553.4, 0.9),
    8: (2388.1, 0.07),
    9: (9065.0, 22.0),
    11: (47.5, 0.27),
    12: (521.4, 0.74),
    13: (2388.1, 0.07),
    14: (8144.0, 19.0),
    15: (8.44, 0.0375),
    17: (393.0, 1.5),
    20: (38.8, 0.18),
    21: (23.3, 0.11),
}
"""By the sensor's number: what is taken off a reading, and what it is then divided by."""

LIVES = (164, 186, 200, 214, 245)
"""Cycles up to failure, the last of each fleet but one."""

KEPT_CYCLES = 60
_FIRST_SENSOR = 4
"""Column before sensor 1: after engine, cycle and three settings."""

Table = NDArray[np.float64]
Arrays = dict[str, NDArray]


def read(folder: Path, name: str) -> Table:
    """Numbers of a file [rows, columns], without a line of names. Raises ValueError where it is not there."""
    for path in (folder / f"{name}.gz", folder / name):
        if path.exists():
            raw = path.read_bytes()
            lines = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode().splitlines()
            has_names = any(character.isalpha() and character != "e" for character in lines[0])
            return np.array([[float(cell) for cell in line.split()] for line in lines[has_names:] if line.strip()])
    raise ValueError(f"there is no {name} in {folder}")


def engines_of(table: Table) -> list[NDArray[np.float16]]:
    """Scaled readings float16[T, 14] of each engine, by number."""
    columns = [(table[:, _FIRST_SENSOR + sensor] - shift) / scale for sensor, (shift, scale) in SENSORS.items()]
    readings = np.stack(columns, axis=1).astype(np.float16)
    return [readings[table[:, 0] == engine] for engine in np.unique(table[:, 0])]


def arrays_of(engines: list[NDArray[np.float16]], after: list[int], fleets: list[int]) -> Arrays:
    """As data.py reads them."""
    return {
        "readings": np.concatenate(engines),
        "lengths": np.array([len(engine) for engine in engines], np.int16),
        "after": np.array(after, np.int16),
        "fleet": np.array(fleets, np.int8),
    }


def main(source: Path) -> None:
    """Write the data files beside this one."""
    training, test = engines_of(read(source, "train_FD001.txt")), engines_of(read(source, "test_FD001.txt"))
    after = [int(cycles) for cycles in read(source, "RUL_FD001.txt")[:, 0]]
    (HERE / "data").mkdir(exist_ok=True)
    fleet_of = [_fleet(len(engine)) for engine in training]
    for fleet in range(len(LIVES) + 1):
        own = [engine for engine, its in zip(training, fleet_of, strict=True) if its == fleet]
        arrays = arrays_of(own, [0] * len(own), [fleet] * len(own))
        save_file(arrays, HERE / "data" / f"fleet-{fleet + 1}.safetensors")
    newest = [engine[-KEPT_CYCLES:] for engine in test]
    fleets = [_fleet(len(engine) + left) for engine, left in zip(test, after, strict=True)]
    save_file(arrays_of(newest, after, fleets), HERE / "evaluation.safetensors")


def _fleet(life: int) -> int:
    return int(np.searchsorted(LIVES, life))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
