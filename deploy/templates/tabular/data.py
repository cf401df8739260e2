"""SYNTHETIC customers of eight banks, so that the package runs as it is: numbers, a category, who pays back.
Put your own reading in their place."""

from pathlib import Path

import numpy as np

BANKS, CATEGORIES = 8, 6

Columns = dict[str, np.ndarray]


def load(data: Path, index: int) -> tuple[Columns, np.ndarray]:
    """Columns of the participant of this number, by the names that the model takes, and classes int64[B].

    data: the folder that it was told to read (`fluvial participate --data`); what is made up here does not need it.
    """
    if index >= BANKS:
        raise ValueError(f"there are {BANKS} banks")
    columns, classes, _ = _customers(bank=index, number=100 + 20 * index)
    return columns, classes


def evaluation(folder: Path) -> tuple[Columns, np.ndarray, dict[str, list[str]]]:
    """What published models are measured on, and the group of each example. folder: of this package."""
    parts = [_customers(bank=bank, number=60, seed=1) for bank in range(BANKS)]
    columns = {name: np.concatenate([part[0][name] for part in parts]) for name in parts[0][0]}
    ages = [age for part in parts for age in part[2]]
    return columns, np.concatenate([part[1] for part in parts]), {"age": ages}


def _customers(bank: int, number: int, seed: int = 0) -> tuple[Columns, np.ndarray, list[str]]:
    random = np.random.default_rng([seed, bank])
    numbers = random.normal(0.2 * bank - 0.8, 1.0, (number, 4)).astype(np.float32)
    category = random.integers(0, CATEGORIES, number)
    score = numbers @ np.array([1.0, -1.0, 0.5, 0.0]) + (category % 3 - 1) + random.normal(0, 0.7, number)
    ages = ["under 40" if value < 0 else "40 and over" for value in numbers[:, 3]]
    return {"numbers": numbers, "category": category}, (score > 0).astype(np.int64), ages
