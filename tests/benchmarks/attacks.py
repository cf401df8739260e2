"""Accuracy under attack, for every rule: research figures, not a test.

    python -m tests.benchmarks.attacks [--quick] [--output FILE.json] [--splits chance writers] [--seeds 0]

Each cell is a federation of its own, trained from the beginning. A finished cell is written at once, and cells that
the output file already has are not run again, so that a run may be stopped and gone on with. Beside the JSON document
comes a table as Markdown. The whole takes 36 minutes of one core; --quick a minute, to see that it works.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

from tests.benchmarks.attacks_cells import (
    ATTACKS,
    LARGEST_NUM_BYZANTINE,
    NO_ATTACK,
    NUM_HONEST,
    SPLITS,
    Cell,
    Conditions,
    Study,
    rules,
)
from tests.benchmarks.attacks_table import markdown

RESULTS = Path(__file__).parent / "results"
QUICK_RULES = ("mean", "mixing, trimmed mean")
DIRICHLET_RULES = ("mean", "mixing, trimmed mean", "mixing, geometric median", "clipped, mixing, trimmed mean")


def cells(splits: Sequence[str], seeds: Sequence[int], conditions: Conditions, *, quick: bool) -> list[Cell]:
    """All cells, the attack-free federations and the most attackers first.

    Where label shares are uneven only the rules that are made for it run, and the mean, against two and four.
    """
    chosen = [
        Cell(split=split, rule="mean", attack=NO_ATTACK, num_byzantine=0, seed=seed)
        for seed, split in product(seeds, splits)
    ]
    numbers = (LARGEST_NUM_BYZANTINE,) if quick else (LARGEST_NUM_BYZANTINE, 2, 1, 3)
    for number, seed, split in product(numbers, seeds, splits):
        uneven = split == "dirichlet"
        if uneven and number not in (2, LARGEST_NUM_BYZANTINE):
            continue
        for rule in rules(number, conditions):
            if (quick and rule not in QUICK_RULES) or (uneven and rule not in DIRICHLET_RULES):
                continue
            largest = number == (2 if rule == "Bulyan" else LARGEST_NUM_BYZANTINE)
            chosen += [
                Cell(split=split, rule=rule, attack=attack, num_byzantine=number, seed=seed)
                for attack in (ATTACKS if largest else ATTACKS[1:])
            ]
    return chosen


def machine() -> dict[str, Any]:
    """What the processor times depend on; accuracies depend on torch alone."""
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("numpy", "torch")},
    }


def load(path: Path, conditions: Conditions) -> dict[Cell, dict[str, float]]:
    """Finished cells of an output file. Raises ValueError if they were made under other conditions."""
    if not path.exists():
        return {}
    document = json.loads(path.read_text())
    if document["conditions"] != asdict(conditions):
        raise ValueError(f"{path} was made under other conditions: {document['conditions']}")
    names = Cell.__dataclass_fields__
    return {
        Cell(**{name: entry[name] for name in names}): {name: entry[name] for name in ("accuracy", "cpu_seconds")}
        for entry in document["cells"]
    }


def save(path: Path, conditions: Conditions, finished: dict[Cell, dict[str, float]]) -> None:
    """Write the document, a cell a line, and the table beside it."""
    head = {"machine": machine(), "conditions": asdict(conditions), "honest": NUM_HONEST}
    lines = [json.dumps(asdict(cell) | values) for cell, values in sorted(finished.items())]
    text = json.dumps(head)[:-1] + ', "cells": [\n' + ",\n".join(lines) + "\n]}\n"
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)
    accuracies = {cell: values["accuracy"] for cell, values in finished.items()}
    path.with_suffix(".md").write_text(markdown(accuracies, conditions))


def main() -> None:
    """Run what is missing; one line a cell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=RESULTS / "attacks.json")
    parser.add_argument("--splits", nargs="+", choices=SPLITS, default=list(SPLITS))
    parser.add_argument("--rules", nargs="+", help="only these; by default all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--quick", action="store_true", help="two rules, four attackers, two rounds")
    parser.add_argument("--table", action="store_true", help="only write the table of what is there")
    arguments = parser.parse_args()
    conditions = Conditions(rounds=2) if arguments.quick else Conditions()
    finished = load(arguments.output, conditions)
    if arguments.table:
        save(arguments.output, conditions, finished)
        return
    wanted = cells(arguments.splits, arguments.seeds, conditions, quick=arguments.quick)
    chosen = set(arguments.rules or [cell.rule for cell in wanted])
    missing = [cell for cell in wanted if cell.rule in chosen and cell not in finished]
    study = Study(conditions)
    for number, cell in enumerate(missing, 1):
        started = time.process_time()
        accuracy = study.run(cell)
        finished[cell] = {"accuracy": round(accuracy, 4), "cpu_seconds": round(time.process_time() - started, 2)}
        save(arguments.output, conditions, finished)
        place = f"{cell.split}, {cell.num_byzantine} attackers, {cell.rule}, {cell.attack}, seed {cell.seed}"
        print(f"{number}/{len(missing)} {place}: {accuracy:.4f}", flush=True)


if __name__ == "__main__":
    main()
