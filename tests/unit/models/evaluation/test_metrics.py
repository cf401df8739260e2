from itertools import product
from math import log

import numpy as np
import pytest

from models.evaluation.metrics import accuracy, auc, loss, measure

LOGITS = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 3.0]], np.float32)
TARGETS = np.array([0, 1, 1, 0])


def test_accuracy_by_hand() -> None:
    assert accuracy(LOGITS, TARGETS) == 0.5  # the third is a draw, which goes to class 0


def test_loss_by_hand_and_without_overflow() -> None:
    assert loss(np.zeros((3, 4), np.float32), np.array([0, 1, 2])) == pytest.approx(log(4))
    assert loss(np.array([[1000.0, -1000.0]]), np.array([1])) == 2000.0


def test_auc_equals_its_twin_over_all_pairs() -> None:
    random = np.random.default_rng(3)
    scores, targets = random.integers(0, 5, 40), random.integers(0, 2, 40)
    logits = np.stack([np.zeros(40), scores], axis=1)
    pairs = list(product(scores[targets == 1], scores[targets == 0]))
    expected = sum(1.0 if high > low else 0.5 if high == low else 0.0 for high, low in pairs) / len(pairs)
    assert auc(logits, targets) == pytest.approx(expected)


def test_auc_needs_two_classes_and_both_of_them() -> None:
    with pytest.raises(ValueError, match="two classes"):
        auc(np.zeros((2, 3)), np.array([0, 1]))
    with pytest.raises(ValueError, match="both classes"):
        auc(np.zeros((2, 2)), np.array([1, 1]))


def test_named_metrics_come_together() -> None:
    assert measure(LOGITS, TARGETS, ["accuracy", "auc"]) == {"accuracy": 0.5, "auc": auc(LOGITS, TARGETS)}


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown metrics f1"):
        measure(LOGITS, TARGETS, ["accuracy", "f1"])
    with pytest.raises(ValueError, match="4 predictions for 3 targets"):
        measure(LOGITS, TARGETS[:3], ["accuracy"])
    with pytest.raises(ValueError, match="0 predictions"):
        measure(LOGITS[:0], TARGETS[:0], ["accuracy"])
    with pytest.raises(ValueError, match="NaN"):
        measure(LOGITS * np.nan, TARGETS, ["accuracy"])
    with pytest.raises(ValueError, match="classes from 0 to 2, but the model has 2"):
        measure(LOGITS, np.array([0, 1, 2, 0]), ["accuracy"])
    with pytest.raises(ValueError, match="classes from -1"):
        measure(LOGITS, np.array([0, 1, -1, 0]), ["accuracy"])
    with pytest.raises(ValueError, match="not one row of classes"):
        measure(LOGITS[:, 0], TARGETS, ["accuracy"])
    with pytest.raises(ValueError, match="not finite: loss"):
        measure(np.full((4, 2), np.inf), TARGETS, ["accuracy", "loss"])
