"""The package `churn` of the page "Bring your model", with tables for three branches."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tests.unit.docs.blocks import CHECKOUT, blocks

PAGE = CHECKOUT / "docs" / "bring-your-model.md"
NUM_BRANCHES = 3


def write_churn(folder: Path) -> None:
    """Into the folder churn in this one."""
    for block in [*blocks(PAGE, "yaml"), *blocks(PAGE, "python")]:
        if named := re.match(r"# (churn/\S+)\n", block):
            file = folder / named[1]
            file.parent.mkdir(exist_ok=True)
            file.write_text(block)
    (folder / "churn/data").mkdir()
    _write_table(folder / "churn/evaluation.csv", seed=9)
    for branch in range(NUM_BRANCHES):
        _write_table(folder / f"churn/data/branch-{branch}.csv", seed=branch)


def _write_table(file: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    numbers, plan = random.normal(size=(80, 3)), random.integers(0, 4, 80)
    left = (numbers[:, 0] - numbers[:, 1] + plan - 1.5 > 0).astype(int)
    np.savetxt(file, np.column_stack([numbers, plan, left]), delimiter=",", header="a,b,c,plan,left", comments="")
