"""Metrics that no counts tell, against scikit-learn and a resampling that shares nothing with ours."""

import numpy as np
import pytest

from fluvial.inference.bootstrap import drops

RANDOM = np.random.default_rng(5)
SIZE = 120
CLASSES = (np.arange(SIZE) % 3 == 0).astype(np.int64)
REFERENCE = np.stack([np.zeros(SIZE), CLASSES + RANDOM.normal(size=SIZE)], axis=1).astype(np.float32)
WORSE = np.round(REFERENCE + RANDOM.normal(size=(SIZE, 2)) * [[0.0, 0.8]], 1).astype(np.float32)
VALUES = RANDOM.normal(size=SIZE).astype(np.float32)
SEED = b"\x07" * 32


def by_metric(found):
    return {drop.metric: drop for drop in found if drop.group == "all"}


def test_values_and_drops_are_those_of_scikit_learn():
    from sklearn.metrics import f1_score, mean_absolute_error, roc_auc_score  # seconds, wherever this file is collected

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


def test_the_same_artefact_has_the_same_bound_and_another_one_another():
    arguments = REFERENCE, WORSE, CLASSES
    one, again, other = (drops(*arguments, metrics=["auc"], seed=seed) for seed in (SEED, SEED, b"\x08" * 32))
    assert one == again
    assert one != other


def test_what_answers_alike_loses_nothing():
    (found,) = drops(REFERENCE, REFERENCE, CLASSES, metrics=["auc"], seed=SEED)
    assert (found.drop, found.bound, found.p_value) == (0.0, 0.0, 1.0)


def test_groups_of_fewer_than_ten_people_and_of_one_class_are_left_out():
    few = np.zeros(SIZE, np.int64)
    few[:40] = 1
    people = np.where(few == 1, np.arange(SIZE) % 9, np.arange(SIZE))
    groups = {"site": (few, ("large", "few")), "outcome": (CLASSES, ("well", "ill"))}
    found = drops(REFERENCE, WORSE, CLASSES, metrics=["auc", "macro_f1"], seed=SEED, groups=groups, people=people)
    of = {(drop.metric, drop.group) for drop in found}
    assert ("auc", "site:large") in of
    assert not {group for _, group in of} & {"site:few"}
    assert not {("auc", "outcome:well"), ("auc", "outcome:ill")} & of


@pytest.mark.parametrize(
    ("metric", "outputs", "targets", "why"),
    [
        ("auc", np.zeros((20, 3)), np.zeros(20, np.int64), "two classes"),
        ("auc", np.zeros((20, 2)), np.linspace(0, 1, 20), "classes from 0 to 1"),
        ("mae", np.zeros((20, 2)), np.zeros(20), "no values"),
        ("brier", np.zeros((20, 2)), np.zeros(20), "unknown metrics brier"),
    ],
)
def test_what_does_not_fit_a_metric_is_said(metric, outputs, targets, why):
    with pytest.raises(ValueError, match=why):
        drops(outputs, outputs, targets, metrics=[metric], seed=SEED)


def test_outputs_of_another_number_are_refused():
    with pytest.raises(ValueError, match="20 and 19 outputs for 20"):
        drops(np.zeros(20), np.zeros(19), np.zeros(20), metrics=["mae"], seed=SEED)


def test_scores_that_are_nan_have_no_auc_and_no_f1_of_being_right():
    targets = np.arange(200) % 2
    reference = np.stack([1.0 - targets, targets], axis=1).astype(np.float32)
    broken = np.where(targets[:, None] == 1, np.float32(np.nan), reference)  # NaN would be sorted above all others
    found = {one.metric: one for one in drops(reference, broken, targets, metrics=["auc", "macro_f1"], seed=b"s" * 32)}
    assert "auc" not in found
    assert found["macro_f1"].drop > 0.4
