"""Make the data files of the task heart from the four hospitals' files (UCI Heart Disease).

    python -m deploy.tasks.heart.prepare [SOURCE]

SOURCE is a folder with processed.{cleveland,hungarian,switzerland,va}.data as UCI has them; by default `raw` beside
this file, which holds them. Each hospital can do this alone: scaling and imputation use the constants below, round
numbers within the range of each measurement, and nothing that is computed over patients.

* A number becomes (value - centre) / scale; a missing one 0, as if it were the centre. Serum cholesterol and resting
  blood pressure of 0 stand for missing.
* A yes-or-no value becomes +0.5 or -0.5; a missing one 0.
* A category becomes one input per value, 1 for its own; a missing one leaves all at 0.
* The target is 1 for any heart disease (`num` above 0), else 0.

Every third patient of each hospital, in file order from the third, goes to evaluation.safetensors, by hospital; the
others to participants.safetensors, participants 0-3 in the order of HOSPITALS.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

HERE = Path(__file__).parent
HOSPITALS = ("cleveland", "hungarian", "switzerland", "va")
COLUMNS = (
    *("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope", "ca", "thal"),
    "num",
)
NUMBERS = {
    "age": (55.0, 10.0),  # years
    "trestbps": (130.0, 20.0),  # mm Hg
    "chol": (240.0, 50.0),  # mg/dl
    "thalach": (140.0, 25.0),  # beats per minute
    "oldpeak": (1.0, 1.0),  # mm
    "ca": (1.0, 1.0),  # vessels
}
ZERO_IS_MISSING = ("trestbps", "chol")
YES_OR_NO = ("sex", "fbs", "exang")
CATEGORIES = {"cp": (1, 2, 3, 4), "restecg": (0, 1, 2), "slope": (1, 2, 3), "thal": (3, 6, 7)}
EVALUATION_EVERY = 3


def read_patients(path: Path) -> dict[str, NDArray[np.float64]]:
    """Columns of a hospital's file; NaN for missing values. Raises ValueError if it has other columns."""
    table = np.genfromtxt(path, delimiter=",", missing_values="?", filling_values=np.nan, ndmin=2)
    if table.shape[1] != len(COLUMNS):
        raise ValueError(f"{path} has {table.shape[1]} columns, {len(COLUMNS)} are expected")
    patients = dict(zip(COLUMNS, table.T, strict=True))
    for name in ZERO_IS_MISSING:
        patients[name] = np.where(patients[name] == 0, np.nan, patients[name])
    return patients


def inputs_of(patients: dict[str, NDArray[np.float64]]) -> NDArray[np.float32]:
    """float32[B, 22] in the order of NUMBERS, YES_OR_NO, CATEGORIES."""
    columns = [np.nan_to_num((patients[name] - centre) / scale) for name, (centre, scale) in NUMBERS.items()]
    columns += [np.nan_to_num(patients[name] - 0.5) for name in YES_OR_NO]
    columns += [patients[name] == value for name, values in CATEGORIES.items() for value in values]
    return np.stack(columns, axis=1).astype(np.float32)


def main(source: Path) -> None:
    """Write both data files beside this one."""
    inputs: list[NDArray[np.float32]] = []
    targets: list[NDArray[np.int64]] = []
    groups: list[NDArray[np.int64]] = []
    held_out: list[NDArray[np.bool_]] = []
    for number, hospital in enumerate(HOSPITALS):
        patients = read_patients(source / f"processed.{hospital}.data")
        count = len(patients["num"])
        inputs.append(inputs_of(patients))
        targets.append((patients["num"] > 0).astype(np.int64))
        groups.append(np.full(count, number, np.int64))
        held_out.append(np.arange(count) % EVALUATION_EVERY == EVALUATION_EVERY - 1)
    everything: dict[str, NDArray[Any]] = {"inputs": np.concatenate(inputs), "targets": np.concatenate(targets)}
    hospitals, chosen = np.concatenate(groups), np.concatenate(held_out)
    measured = {name: values[chosen] for name, values in everything.items()} | {"groups.hospital": hospitals[chosen]}
    trained = {name: values[~chosen] for name, values in everything.items()} | {"group": hospitals[~chosen]}
    names = {"groups": json.dumps({"hospital": HOSPITALS})}
    save_file(measured, HERE / "evaluation.safetensors", names)
    save_file(trained, HERE / "participants.safetensors")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]) if len(sys.argv) == 2 else HERE / "raw")
