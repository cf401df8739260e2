"""The study of attacks trains."""

from tests.benchmarks.attacks_cells import Cell, Conditions, Study


def test_a_federation_learns_and_an_attack_on_the_mean_destroys_it() -> None:
    study = Study(Conditions(rounds=2, channels=4, hidden=8))
    free = study.run(Cell(split="chance", rule="mean", attack="none", num_byzantine=0))
    attacked = study.run(Cell(split="chance", rule="mean", attack="inner product 100", num_byzantine=1))
    flipped = study.run(Cell(split="writers", rule="multi-Krum", attack="label flip", num_byzantine=1))
    assert free > 0.5
    assert flipped > 0.4
    assert attacked < 0.3
