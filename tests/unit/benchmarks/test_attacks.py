"""The study of attacks: which cells there are, that they are not run twice, and that the table says what was met."""

from pathlib import Path

import pytest

from models.aggregation.rule import parse_rule
from tests.benchmarks.attacks import cells, load, save
from tests.benchmarks.attacks_cells import Cell, Conditions, rules
from tests.benchmarks.attacks_table import markdown

CONDITIONS = Conditions()


@pytest.mark.parametrize("num_byzantine", [1, 2, 3, 4])
def test_every_rule_accepts_the_number_of_attackers_that_it_is_shown_against(num_byzantine: int) -> None:
    for options in rules(num_byzantine, CONDITIONS).values():
        parse_rule(options).check_quorum(10 + num_byzantine)
    assert ("Bulyan" in rules(num_byzantine, CONDITIONS)) == (num_byzantine <= 2)


def test_cells_are_different_and_start_with_the_federation_without_attackers() -> None:
    chosen = cells(["chance", "dirichlet"], [0], CONDITIONS, quick=False)
    assert len(set(chosen)) == len(chosen)
    assert chosen[0] == Cell(split="chance", rule="mean", attack="none", num_byzantine=0)
    assert len(cells(["chance"], [0], CONDITIONS, quick=True)) == 1 + 2 * 9


def test_finished_cells_are_found_again_under_the_same_conditions_alone(tmp_path: Path) -> None:
    path = tmp_path / "attacks.json"
    finished = {Cell(split="chance", rule="mean", attack="none", num_byzantine=0): {"accuracy": 0.9, "cpu_seconds": 2}}
    assert load(path, CONDITIONS) == {}
    save(path, CONDITIONS, finished)
    assert load(path, CONDITIONS) == finished
    assert "weighted mean: 90.0" in path.with_suffix(".md").read_text()
    with pytest.raises(ValueError, match="other conditions"):
        load(path, Conditions(rounds=3))


def test_the_table_judges_the_worst_attack() -> None:
    rule = "mixing, trimmed mean"
    accuracies = {
        Cell(split="chance", rule="mean", attack="none", num_byzantine=0): 0.96,
        Cell(split="chance", rule=rule, attack="none", num_byzantine=4): 0.5,
        Cell(split="chance", rule=rule, attack="min-max", num_byzantine=4): 0.9,
        Cell(split="chance", rule=rule, attack="label flip", num_byzantine=4): 0.95,
    }
    text = markdown(accuracies, CONDITIONS)
    assert "90.0 of 96.0 (0.938), min-max | no |" in text
    accuracies[Cell(split="chance", rule=rule, attack="min-max", num_byzantine=4)] = 0.92
    assert "92.0 of 96.0 (0.958), min-max | yes |" in markdown(accuracies, CONDITIONS)
