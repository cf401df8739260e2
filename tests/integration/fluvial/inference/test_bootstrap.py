"""Metrics that no counts tell, against scikit-learn."""

import numpy as np
import pytest

from fluvial.inference.bootstrap import drops
from tests.unit.fluvial.inference.test_bootstrap import CLASSES, REFERENCE, SEED, SIZE, VALUES, WORSE, by_metric


def test_values_and_drops_are_those_of_scikit_learn():
    from sklearn.metrics import f1_score, mean_absolute_error, roc_auc_score  # a second, where the file is collected

    found = by_metric(drops(REFERENCE, WORSE, CLASSES, metrics=["auc", "macro_f1"], seed=SEED, draws=50))
    scores = [outputs[:, 1] - outputs[:, 0] for outputs in (REFERENCE, WORSE)]
    auc = [roc_auc_score(CLASSES, of_one) for of_one in scores]
    f1 = [f1_score(CLASSES, outputs.argmax(axis=1), average="macro") for outputs in (REFERENCE, WORSE)]
    assert (found["auc"].value, found["auc"].drop) == pytest.approx((auc[1], auc[0] - auc[1]))
    assert (found["macro_f1"].value, found["macro_f1"].drop) == pytest.approx((f1[1], f1[0] - f1[1]))
    outputs = VALUES + 0.1, VALUES + 0.3
    error = by_metric(drops(*outputs, VALUES, metrics=["mae", "rmse"], seed=SEED, draws=50))
    assert error["mae"].value == pytest.approx(mean_absolute_error(VALUES, outputs[1]))
    assert error["mae"].drop == pytest.approx(0.2, abs=1e-6)
    assert error["rmse"].drop == pytest.approx(0.2, abs=1e-6)


def test_the_bound_is_the_quantile_of_draws_of_people_with_all_that_is_theirs():
    from sklearn.metrics import roc_auc_score

    people = np.arange(SIZE) // 4
    found = by_metric(drops(REFERENCE, WORSE, CLASSES, metrics=["auc"], seed=SEED, people=people))["auc"]
    random, drawn = np.random.default_rng(1), []
    for _ in range(400):
        rows = np.concatenate([np.flatnonzero(people == one) for one in random.integers(0, SIZE // 4, SIZE // 4)])
        one, other = (roc_auc_score(CLASSES[rows], out[rows, 1] - out[rows, 0]) for out in (REFERENCE, WORSE))
        drawn.append(one - other)
    assert found.bound == pytest.approx(np.quantile(drawn, 0.95), abs=0.02)
    assert found.p_value == pytest.approx(np.mean(np.array(drawn) <= 0), abs=0.05)
