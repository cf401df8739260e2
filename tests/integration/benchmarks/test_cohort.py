"""The vectorised trainer gives what the participants' own trainer gives.

Steps are few and small: rounding that differs in the seventh digit grows to the second one over many large steps.
"""

import numpy as np
import pytest

from fluvial.edge.packages import Examples
from fluvial.edge.training.architectures import build, initial_state
from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.data_files import Dataset
from fluvial.edge.training.module_state import ModuleState
from fluvial.edge.training.trainer import train
from tests.benchmarks.simulation.cohort import Cohort

PARAMETERS = {"image_size": 12, "classes": 3, "channels": 4, "hidden": 8}
POOL = Dataset(
    inputs=np.random.default_rng(0).random((60, 1, 12, 12), np.float32),
    targets=np.random.default_rng(1).integers(0, 3, 60),
)
ROWS = [np.arange(0, 23), np.arange(20, 60), np.arange(5, 9)]
SEEDS = [3, 1, 4]


@pytest.mark.parametrize(
    "config",
    [
        TrainingConfig(epochs=1, batch_size=10, learning_rate=0.02),
        TrainingConfig(epochs=2, batch_size=7, learning_rate=0.005, momentum=0.9, weight_decay=0.01),
    ],
    ids=["plain", "momentum"],
)
def test_a_cohort_trains_as_its_participants_would(config: TrainingConfig) -> None:
    base = initial_state("convolutional", PARAMETERS, 0)
    state = ModuleState(build("convolutional", PARAMETERS))
    deltas = Cohort("convolutional", PARAMETERS, POOL).train(base, ROWS, SEEDS, config)
    assert deltas.dtype == np.float32
    for delta, rows, seed in zip(deltas, ROWS, SEEDS, strict=True):
        expected, _ = train(state, base, Examples(inputs=POOL.inputs[rows], targets=POOL.targets[rows]), config, seed)
        assert float(np.abs(expected).max()) > 0.001
        np.testing.assert_allclose(delta, expected, atol=2e-5)


def test_participants_may_start_from_different_models_and_have_labels_of_their_own() -> None:
    config = TrainingConfig(epochs=1, batch_size=8, learning_rate=0.02)
    cohort = Cohort("convolutional", PARAMETERS, POOL)
    bases = np.stack([initial_state("convolutional", PARAMETERS, seed) for seed in (0, 1)])
    labels = np.stack([POOL.targets, 2 - POOL.targets])
    together = cohort.train(bases, ROWS[:2], SEEDS[:2], config, labels)
    state = ModuleState(build("convolutional", PARAMETERS))
    for delta, base, rows, seed, own in zip(together, bases, ROWS, SEEDS, labels, strict=False):
        expected, _ = train(state, base, Examples(inputs=POOL.inputs[rows], targets=own[rows]), config, seed)
        np.testing.assert_allclose(delta, expected, atol=2e-5)


def test_a_cohort_needs_a_seed_for_each_participant() -> None:
    config = TrainingConfig(epochs=1, batch_size=8, learning_rate=0.02)
    base = initial_state("convolutional", PARAMETERS, 0)
    with pytest.raises(ValueError, match="seeds"):
        Cohort("convolutional", PARAMETERS, POOL).train(base, ROWS, SEEDS[:1], config)
