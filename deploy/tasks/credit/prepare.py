"""Make the data files of the task credit from the clients' table (UCI Default of Credit Card Clients).

    python -m deploy.tasks.credit.prepare UCI_Credit_Card.csv

Scaling uses the constants below, round numbers, and nothing that is computed over clients, so each bank can do it
alone.

* Amounts of money become sign(x) * log(1 + |x| / 1,000); the age (age - 35) / 10.
* A month's payment status becomes itself / 2; education, marriage and sex one input for each value.
* The target is 1 for a default in the next month.

Clients are dealt to training (18,000) and gate (12,000) by a fixed shuffle. The six banks are segments of the training
clients by credit limit, cut at LIMITS: their clients differ in wealth and in how often they default. Calibration inputs
are 512 of the training clients; the gate's are never among them.

Files: participants.safetensors, evaluation.safetensors (the gate's clients, with their groups by sex and age band),
calibration.safetensors. Inputs are float16.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

HERE = Path(__file__).parent
LIMITS = (30_000, 70_000, 130_000, 200_000, 300_000)
"""Credit limits, in Taiwan dollars, at which the segments are cut."""

AMOUNTS = ("LIMIT_BAL", *(f"BILL_AMT{month}" for month in range(1, 7)), *(f"PAY_AMT{month}" for month in range(1, 7)))
STATUSES = ("PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6")
CATEGORIES = {"SEX": (1, 2), "EDUCATION": (1, 2, 3), "MARRIAGE": (1, 2)}
AGE_BANDS = ((20, 30), (30, 40), (40, 50), (50, 81))
SEXES = ("men", "women")
NUM_TRAINING, NUM_CALIBRATION, SEED = 18_000, 512, 1


def read_clients(path: Path) -> dict[str, NDArray[np.float64]]:
    """Columns of the table. Raises ValueError if it has other columns."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    needed = {*AMOUNTS, *STATUSES, *CATEGORIES, "AGE", "default.payment.next.month"}
    if not rows or needed - rows[0].keys():
        raise ValueError(f"{path} lacks the columns {sorted(needed - (rows[0].keys() if rows else set()))}")
    return {name: np.array([float(row[name]) for row in rows]) for name in needed}


def inputs_of(clients: dict[str, NDArray[np.float64]]) -> NDArray[np.float16]:
    """float16[B, 27] in the order of AMOUNTS, STATUSES, age, CATEGORIES."""
    columns = [np.sign(clients[name]) * np.log1p(np.abs(clients[name]) / 1_000) for name in AMOUNTS]
    columns += [clients[name] / 2 for name in STATUSES]
    columns += [(clients["AGE"] - 35) / 10]
    columns += [(clients[name] == value) * 1.0 for name, values in CATEGORIES.items() for value in values]
    return np.stack(columns, axis=1).astype(np.float16)


def main(source: Path) -> None:
    """Write the data files beside this one."""
    clients = read_clients(source)
    inputs = inputs_of(clients)
    targets = clients["default.payment.next.month"].astype(np.int64)
    order = np.random.Generator(np.random.PCG64(SEED)).permutation(len(targets))
    training, gate = order[:NUM_TRAINING], order[NUM_TRAINING:]
    bank = np.digitize(clients["LIMIT_BAL"], LIMITS).astype(np.int64)
    age = np.digitize(clients["AGE"], [band[0] for band in AGE_BANDS[1:]]).astype(np.int64)
    names = {"sex": list(SEXES), "age": [f"{first}-{end - 1}" for first, end in AGE_BANDS]}
    save_file(
        {
            "inputs": inputs[training],
            "targets": targets[training].astype(np.int8),
            "group": bank[training].astype(np.int8),
        },
        HERE / "participants.safetensors",
    )
    save_file(
        {
            "inputs": inputs[gate],
            "targets": targets[gate].astype(np.int8),
            "groups.sex": (clients["SEX"][gate] == 2).astype(np.int8),
            "groups.age": age[gate].astype(np.int8),
        },
        HERE / "evaluation.safetensors",
        metadata={"groups": json.dumps(names)},
    )
    calibration = training[:NUM_CALIBRATION]
    save_file(
        {"inputs": inputs[calibration], "targets": targets[calibration].astype(np.int8)},
        HERE / "calibration.safetensors",
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
