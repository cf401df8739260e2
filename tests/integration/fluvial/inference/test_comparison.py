"""Paired counts by metric and group, against fairlearn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluvial.inference.comparison import compare

ALL = ("accuracy", "recall", "agreement")


def by_key(counts):
    return {(count.metric, count.group): count for count in counts}


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_values_by_group_are_those_of_fairlearn(seed):
    from fairlearn.metrics import MetricFrame  # seconds, where the file is collected
    from sklearn.metrics import accuracy_score, recall_score

    random = np.random.default_rng(seed)
    size = 200
    targets, reference, variant = (random.integers(0, 3, size) for _ in range(3))
    members = random.integers(0, 3, size)
    groups = {"site": (members, ["a", "b", "c"])}
    counts = by_key(compare(reference, variant, metrics=ALL, targets=targets, groups=groups))
    frame = MetricFrame(metrics=accuracy_score, y_true=targets, y_pred=variant, sensitive_features=members)
    for number, name in enumerate("abc"):
        count = counts["accuracy", f"site:{name}"]
        total = count.both + count.harmed + count.helped + count.neither
        assert (count.both + count.helped) / total == pytest.approx(frame.by_group[number])
    for label in range(3):
        count = counts[f"recall:{label}", "all"]
        total = count.both + count.harmed + count.helped + count.neither
        expected = recall_score(targets, variant, labels=[label], average="macro")
        assert (count.both + count.helped) / total == pytest.approx(expected)
