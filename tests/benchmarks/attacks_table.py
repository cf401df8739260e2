"""The table of accuracies under attack, as Markdown."""

from collections.abc import Mapping
from statistics import fmean

from tests.benchmarks.attacks_cells import ATTACKS, CRAFTED, LABEL_FLIP, NO_ATTACK, NUM_HONEST, Cell, Conditions, rules

TITLES = {
    "chance": "Dealt out by chance (IID)",
    "writers": "By writer",
    "dirichlet": "Label shares from Dirichlet(0.5)",
}
GOALS = (
    ("chance", "mixing, trimmed mean", 4, "at least 0.95 of the attack-free accuracy", 0.95, None),
    ("chance", "mixing, trimmed mean", 2, "at most 3 points below attack-free", None, 3.0),
    ("chance", "mixing, geometric median", 2, "at most 3 points below attack-free", None, 3.0),
    ("chance", "mixing, geometric median", 4, "at most 10 points below attack-free", None, 10.0),
    ("writers", "mixing, trimmed mean", 2, "at most 3 points below attack-free", None, 3.0),
    ("dirichlet", "mixing, trimmed mean", 2, "at most 8 points below attack-free", None, 8.0),
    ("dirichlet", "mixing, geometric median", 2, "at most 8 points below attack-free", None, 8.0),
)
"""split, rule, attackers, goal in words, least share of the attack-free accuracy, or most points below it."""

LITERATURE = (
    "For comparison, ByzFL's published figures on MNIST (10 honest participants and f attackers, 800 steps of one "
    "batch, momentum kept from step to step, the worst of sign flip and the two other attacks optimised against "
    "the rule; clipping and nearest-neighbour mixing first), f = 1, 2, 3, 4:",
    "",
    "| similarity | trimmed mean | geometric median |",
    "|---|---|---|",
    "| 1.0 (IID) | .98 .98 .98 .98 | .98 .98 .98 .97 |",
    "| 0.66 | .98 .97 .97 .97 | .98 .97 .97 .96 |",
    "| 0.33 | .98 .97 .94 .91 | .98 .96 .94 .94 |",
    "| 0.0 | .87 .61 .26 .21 | .87 .56 .26 .27 |",
    "",
)


def markdown(accuracies: Mapping[Cell, float], conditions: Conditions) -> str:
    """All that is there, one table a split and number of attackers; percent, mean over the seeds."""
    seeds = sorted({cell.seed for cell in accuracies})
    text = [
        "# Accuracy under attack",
        "",
        f"Task digits: {NUM_HONEST} honest participants and the attackers, {conditions.rounds} rounds of "
        f"{conditions.epochs} epoch, batches of {conditions.batch_size}, learning rate {conditions.learning_rate}, "
        f"momentum {conditions.momentum} at the participants, convolutional network of {conditions.channels} channels "
        f"and {conditions.hidden} hidden units. Accuracy in percent on writers whom nobody has, after the last "
        f"round; seeds {', '.join(map(str, seeds))}. Attackers know all honest updates, except those who flip labels. "
        f"Clipping at norm {conditions.max_norm}, centered clipping with radius {conditions.centering_radius}. "
        "Admission's limits are off, so that the rules stand alone. Made by `python -m tests.benchmarks.attacks`.",
        "",
    ]
    text += [*_goals(accuracies), *LITERATURE]
    for split, title in TITLES.items():
        free = _mean(accuracies, split, "mean", NO_ATTACK, 0)
        if free is None:
            continue
        text += [f"## {title}", "", f"Without attackers, weighted mean: {100 * free:.1f}.", ""]
        for number in sorted({cell.num_byzantine for cell in accuracies if cell.split == split} - {0}):
            text += _table(accuracies, split, number, list(rules(number, conditions)))
    return "\n".join(text)


def _table(accuracies: Mapping[Cell, float], split: str, number: int, names: list[str]) -> list[str]:
    present = {cell.attack for cell in accuracies if cell.split == split and cell.num_byzantine == number}
    attacks = [attack for attack in ATTACKS if attack in present]
    text = [
        f"### {number} of {NUM_HONEST + number} attack",
        "",
        f"| rule | {' | '.join(attacks)} | worst |",
        "|---" * (len(attacks) + 2) + "|",
    ]
    for rule in names:
        values = {attack: _mean(accuracies, split, rule, attack, number) for attack in attacks}
        if not any(value is not None for value in values.values()):
            continue
        attacked = [value for attack, value in values.items() if attack != NO_ATTACK and value is not None]
        cells = ["" if value is None else f"{100 * value:.1f}" for value in values.values()]
        worst = f"**{100 * min(attacked):.1f}**" if attacked else ""
        text.append(f"| {rule} | {' | '.join(cells)} | {worst} |")
    return [*text, ""]


def _goals(accuracies: Mapping[Cell, float]) -> list[str]:
    text = ["| split | rule | attackers | goal | worst attack | met |", "|---|---|---|---|---|---|"]
    for split, rule, number, words, share, points in GOALS:
        free = _mean(accuracies, split, "mean", NO_ATTACK, 0)
        found = {attack: _mean(accuracies, split, rule, attack, number) for attack in (*CRAFTED, LABEL_FLIP)}
        values = {attack: value for attack, value in found.items() if value is not None}
        if free is None or not values:
            continue
        attack = min(values, key=lambda name: values[name])
        worst = values[attack]
        met = worst >= share * free if share is not None else 100 * (free - worst) <= (points or 0.0)
        measured = f"{100 * worst:.1f} of {100 * free:.1f} ({worst / free:.3f}), {attack}"
        text.append(f"| {TITLES[split]} | {rule} | {number} | {words} | {measured} | {'yes' if met else 'no'} |")
    return [*text, ""]


def _mean(accuracies: Mapping[Cell, float], split: str, rule: str, attack: str, number: int) -> float | None:
    """Over seeds; None without any."""
    values = [
        accuracy
        for cell, accuracy in accuracies.items()
        if (cell.split, cell.rule, cell.attack, cell.num_byzantine) == (split, rule, attack, number)
    ]
    return fmean(values) if values else None
