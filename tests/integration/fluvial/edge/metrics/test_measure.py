"""Metrics against scikit-learn."""

import numpy as np
import pytest

from fluvial.edge.metrics import measure
from fluvial.edge.metrics.classification import macro_f1, recall

RANDOM = np.random.default_rng(3)


def test_metrics_equal_those_of_scikit_learn() -> None:
    from sklearn import metrics as twin  # a second, which a process that runs other tests alone need not take

    logits, targets = RANDOM.normal(size=(50, 4)), RANDOM.integers(0, 4, 50)
    assert macro_f1(logits, targets) == pytest.approx(twin.f1_score(targets, logits.argmax(1), average="macro"))
    of_classes = twin.recall_score(targets, logits.argmax(1), average=None)
    assert list(recall(logits, targets).values()) == pytest.approx(list(of_classes))
    predictions, values = RANDOM.normal(size=(50, 2)), RANDOM.normal(size=(50, 2)).astype(np.float32)
    found = measure(predictions, values, ["mae", "rmse", "r2", "loss"], loss="mean_squared_error")
    assert found["mae"] == pytest.approx(twin.mean_absolute_error(values, predictions))
    assert found["rmse"] ** 2 == pytest.approx(found["loss"]) == twin.mean_squared_error(values, predictions)
    assert found["r2"] == pytest.approx(twin.r2_score(values, predictions))
