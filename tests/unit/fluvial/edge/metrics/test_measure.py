from itertools import product
from math import log

import numpy as np
import pytest

from fluvial.edge.metrics import measure, measure_groups
from fluvial.edge.metrics.classification import accuracy, auc, cross_entropy, perplexity
from fluvial.edge.metrics.measure import METRICS
from fluvial.edge.metrics.regression import r2
from fluvial.wire import task_code

LOGITS = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 3.0]], np.float32)
TARGETS = np.array([0, 1, 1, 0])


def test_a_task_file_knows_the_metrics_that_there_are() -> None:
    assert {*METRICS, "loss"} == set(task_code.METRICS)


def test_accuracy_by_hand() -> None:
    assert accuracy(LOGITS, TARGETS) == 0.5  # the third is a draw, which goes to class 0


def test_loss_by_hand_and_without_overflow() -> None:
    assert cross_entropy(np.zeros((3, 4), np.float32), np.array([0, 1, 2])) == pytest.approx(log(4))
    assert cross_entropy(np.array([[1000.0, -1000.0]]), np.array([1])) == 2000.0
    assert perplexity(np.zeros((2, 3, 7)), np.zeros((2, 3), np.int64)) == pytest.approx(7)


def test_auc_equals_its_twin_over_all_pairs() -> None:
    random = np.random.default_rng(3)
    scores, targets = random.integers(0, 5, 40), random.integers(0, 2, 40)
    logits = np.stack([np.zeros(40), scores], axis=1)
    pairs = list(product(scores[targets == 1], scores[targets == 0]))
    expected = sum(1.0 if high > low else 0.5 if high == low else 0.0 for high, low in pairs) / len(pairs)
    assert auc(logits, targets) == pytest.approx(expected)
    assert auc(scores.astype(np.float32), targets) == pytest.approx(expected)  # one logit is of class 1
    assert auc(scores.astype(np.float32)[:, None], targets) == pytest.approx(expected)


def test_auc_needs_two_classes_and_both_of_them() -> None:
    with pytest.raises(ValueError, match="two classes"):
        auc(np.zeros((2, 3)), np.array([0, 1]))
    with pytest.raises(ValueError, match="examples of both classes, and all 2 are of class 1"):
        auc(np.zeros((2, 2)), np.array([1, 1]))


def test_auc_needs_scores_that_have_an_order() -> None:
    logits = np.array([[np.inf, np.inf], [0, 1], [1, 0]])
    with pytest.raises(ValueError, match="infinite together"):
        measure(logits, np.array([0, 1, 0]), ["auc"])
    assert auc(np.array([[-np.inf, 0], [0, np.inf], [1, 0]]), np.array([1, 1, 0])) == 1.0


def test_a_metric_of_several_values_has_a_name_for_each() -> None:
    found = measure(LOGITS, TARGETS, ["recall", "accuracy"])
    assert found == {"recall.0": 0.5, "recall.1": 0.5, "accuracy": 0.5}


def test_a_metric_of_the_tasks_own_is_called_by_its_function() -> None:
    own = {"mine.metrics:sum": lambda predictions, targets: float(predictions.sum())}
    assert measure(LOGITS, TARGETS, ["mine.metrics:sum"], own=own) == {"sum": 8.0}


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
    with pytest.raises(ValueError, match="not finite: loss"):
        measure(np.full((4, 2), np.inf), TARGETS, ["accuracy", "loss"])
    with pytest.raises(ValueError, match="no numbers of classes"):
        measure(LOGITS, np.array([0.5, 1, 1, 0]), ["accuracy"])
    with pytest.raises(ValueError, match=r"predictions have shape \[4, 2\], targets \[4\]"):
        measure(LOGITS, TARGETS, ["mae"])
    with pytest.raises(ValueError, match="targets that differ"):
        r2(np.zeros(3), np.ones(3))


def test_groups_leave_out_what_is_not_defined_on_them_and_say_why() -> None:
    groups = {"sex": (np.array([0, 0, 1, 2]), ("women", "men", "unknown", "nobody"))}
    women, men, unknown = measure_groups(LOGITS, TARGETS, groups, ["accuracy", "auc"])
    assert (women.attribute, women.group, women.num_examples, women.reason) == ("sex", "women", 2, "")
    assert dict(women.metrics) == {"accuracy": 1.0, "auc": 1.0}
    assert dict(men.metrics) == {"accuracy": 0.0}
    assert "both classes" in men.reason
    assert unknown.num_examples == 1


def test_one_logit_has_its_metrics_by_group_too() -> None:
    logits, groups = LOGITS[:, 1:] - LOGITS[:, :1], {"sex": (np.array([0, 0, 1, 1]), ("women", "men"))}
    names = ["accuracy", "loss"]
    found = measure_groups(logits, TARGETS, groups, names, loss="binary_cross_entropy")
    assert [set(each.metrics) for each in found] == [set(names)] * 2
    assert [each.reason for each in found] == ["", ""]
    (women, _) = measure_groups(logits, TARGETS, groups, names, loss="cross_entropy")
    assert "binary_cross_entropy" in women.reason
