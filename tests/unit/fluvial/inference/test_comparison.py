"""Paired counts by metric and group."""

import numpy as np
import pytest

from fluvial.inference.comparison import NO_ANSWER, answers_of, compare

ALL = ("accuracy", "recall", "agreement")


def by_key(counts):
    return {(count.metric, count.group): count for count in counts}


def test_harmed_and_helped_are_told_apart():
    targets = np.array([1] * 10 + [0] * 10)
    reference = targets.copy()
    reference[0] = 0  # helped: the variant has it right
    variant = targets.copy()
    variant[1] = 0  # harmed
    variant[2] = 0
    counts = by_key(compare(reference, variant, metrics=ALL, targets=targets))
    accuracy = counts["accuracy", "all"]
    assert (accuracy.both, accuracy.harmed, accuracy.helped, accuracy.neither) == (17, 2, 1, 0)
    recall = counts["recall:1", "all"]
    assert (recall.both, recall.harmed, recall.helped, recall.neither) == (7, 2, 1, 0)
    assert counts["recall:0", "all"].harmed == 0
    assert (counts["agreement", "all"].both, counts["agreement", "all"].harmed) == (17, 3)


def test_agreement_needs_no_labels_and_the_others_do():
    answers = np.zeros(20, np.int64)
    assert len(compare(answers, answers, metrics=["agreement"])) == 1
    with pytest.raises(ValueError, match="needs labels"):
        compare(answers, answers, metrics=["recall"])


def test_groups_of_fewer_than_ten_people_are_never_counted():
    answers = np.zeros(40, np.int64)
    groups = {"sex": (np.array([0] * 9 + [1] * 31), ["women", "men"])}
    counted = by_key(compare(answers, answers, metrics=["agreement"], groups=groups))
    assert set(counted) == {("agreement", "all"), ("agreement", "sex:men")}
    people = np.repeat(np.arange(8), 5)
    assert compare(answers, answers, metrics=["agreement"], groups=groups, people=people) == []


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="differ in length"):
        compare(np.zeros(3, np.int64), np.zeros(4, np.int64), metrics=["agreement"])
    with pytest.raises(ValueError, match="unknown metric"):
        compare(np.zeros(3, np.int64), np.zeros(3, np.int64), metrics=["speed"])


def test_answers_are_the_largest_output_or_the_sign_of_one():
    assert answers_of(np.array([[0.1, 0.9], [0.5, 0.5]])).tolist() == [1, 0]
    assert answers_of(np.array([[0.3], [-0.1]])).tolist() == [1, 0]
    assert answers_of(np.array([0.3, 0.0])).tolist() == [1, 0]


def test_outputs_that_are_nan_are_never_right():
    outputs = np.array([[np.nan, 1.0], [0.0, np.nan], [1.0, 0.0], [np.inf, 0.0]], np.float32)
    assert answers_of(outputs).tolist() == [NO_ANSWER, NO_ANSWER, 0, 0]
    assert answers_of(np.array([np.nan, -1.0], np.float32)).tolist() == [NO_ANSWER, 0]
    broken = np.full((20, 2), np.nan, np.float32)
    (counts,) = compare(np.zeros(20, np.int64), answers_of(broken), metrics=["accuracy"], targets=np.zeros(20))
    assert (counts.both, counts.harmed) == (0, 20)
