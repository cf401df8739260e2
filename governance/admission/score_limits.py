"""What the scores of a candidate say for or against an update. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from fluvial.wire.records import Reason, Score
from fluvial.wire.scoring import ScoringSpec
from governance.admission.evidence import Finding

PREFIX = "canary."
MAX_CLASSES = 32
"""Classes whose recall a verdict spells out; of more the least alone."""


def finding(
    spec: ScoringSpec,
    *,
    loss: float,
    base_loss: float,
    recall: Mapping[int, float],
    base_recall: Mapping[int, float],
    cosine: float,
) -> Finding:
    """The scores, and LOW_SCORE where one is beyond a limit of the task. recall: by class."""
    drops = {label: base_recall[label] - share for label, share in recall.items() if label in base_recall}
    worst = max(drops.values(), default=0.0)
    scores = {"loss": loss, "loss_change": loss - base_loss, "cosine": cosine, "recall_drop": worst}
    if len(recall) <= MAX_CLASSES:
        scores |= {f"recall.{label}": share for label, share in sorted(recall.items())}
    beyond = (
        (spec.max_loss_increase is not None and loss - base_loss > spec.max_loss_increase)
        or (spec.max_recall_drop is not None and worst > spec.max_recall_drop)
        or (spec.min_cosine is not None and cosine < spec.min_cosine)
    )
    return Finding(
        fault=Reason.LOW_SCORE if beyond else None,
        scores=tuple(Score(name=PREFIX + name, value=value) for name, value in scores.items()),
    )
