"""What scores say of an update."""

import pytest

from fluvial.wire.records import Reason
from fluvial.wire.scoring import ScoringSpec
from governance.admission.score_limits import MAX_CLASSES, finding


def found(limits=None, **changes):
    spec = ScoringSpec(canary="canary.safetensors", **(limits or {}))
    values = {"loss": 1.2, "base_loss": 1.0, "recall": {0: 0.9, 1: 0.4}, "base_recall": {0: 0.8, 1: 0.7}, "cosine": 0.1}
    return finding(spec, **{**values, **changes})


def test_without_limits_scores_are_recorded_alone():
    made = found()
    assert made.fault is None
    scores = {score.name: score.value for score in made.scores}
    assert scores["canary.loss"] == 1.2
    assert scores["canary.loss_change"] == pytest.approx(0.2)
    assert scores["canary.recall_drop"] == pytest.approx(0.3)
    assert scores["canary.recall.1"] == 0.4
    assert scores["canary.cosine"] == 0.1


@pytest.mark.parametrize(
    ("limits", "fault"),
    [
        ({"max_loss_increase": 0.1}, Reason.LOW_SCORE),
        ({"max_loss_increase": 0.3}, None),
        ({"max_recall_drop": 0.2}, Reason.LOW_SCORE),
        ({"max_recall_drop": 0.4}, None),
        ({"min_cosine": 0.2}, Reason.LOW_SCORE),
        ({"min_cosine": 0.1}, None),
        ({"max_loss_increase": 0.3, "min_cosine": 0.2}, Reason.LOW_SCORE),
    ],
)
def test_what_is_beyond_a_limit_is_held(limits, fault):
    assert found(limits).fault is fault


def test_of_many_classes_the_worst_drop_alone_is_spelt_out():
    recall = dict.fromkeys(range(MAX_CLASSES + 1), 0.5)
    assert len(found(recall=recall, base_recall=recall).scores) == 4
