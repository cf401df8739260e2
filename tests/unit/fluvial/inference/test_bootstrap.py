"""Metrics that no counts tell; against scikit-learn and another resampling: tests/integration."""

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
