"""What a task demands of an accelerated variant before it may serve. Signed with the task, before anything is
measured."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Literal, get_args

from pydantic import Field, model_validator

from fluvial.wire.canonical_json import canonical_json
from fluvial.wire.operators import Operators

LEAST_PUBLISHED = 10
"""Groups of fewer people are never published: their counts would tell of somebody."""


ERRORS = frozenset({"mae", "rmse"})
"""Metrics of which less is better; their drop is what is added, in the unit of the targets."""

MetricName = Literal["accuracy", "recall", "agreement", "auc", "macro_f1", "mae", "rmse"]

_METRICS = frozenset(get_args(MetricName))


class PromotionPolicy(Operators):
    """Margins, sizes and floors are shares: 0.02 are two points. `operators` of them must sign a promotion (0: the
    gate's is enough); each of them may hold and roll back."""

    metrics: tuple[MetricName, ...] = Field(
        default=("accuracy", "recall", "agreement"),
        min_length=1,
        description="What is compared in every group. accuracy alone is not enough: a group's accuracy barely moves "
        "while the recall of its rare class falls. recall is counted for each class. auc, macro_f1, mae and rmse, "
        "which are no shares of right answers, have their bound from a paired bootstrap over people.",
    )
    margin: float = Field(
        default=0.02,
        gt=0,
        lt=1,
        description="Largest drop of any group in any metric. Of mae and rmse it is a rise, in the unit of the "
        "targets: `margins` must name it.",
    )
    margins: Mapping[str, float] = Field(
        default={}, description="Other margins, by metric, by group, or by `metric:group`; the most specific one holds."
    )
    floors: Mapping[str, float] = Field(
        default={},
        description="Least value of the variant, by metric or `metric:group`; of mae and rmse the largest. Without "
        "one, ten versions may each lose a margin.",
    )
    min_group: int = Field(
        default=300, ge=LEAST_PUBLISHED, description="Least examples of a group that is decided upon."
    )
    undecided: Literal["hold", "allow"] = Field(
        default="hold", description="What too few examples mean: hold the variant, or let it pass without proof."
    )
    min_organisations: int = Field(
        default=0,
        ge=0,
        description="Distinct participants that must have measured a class of processors; two at the least where no "
        "worker has.",
    )
    batch: int = Field(default=64, ge=1, description="Examples at once when throughput is measured.")

    @model_validator(mode="after")
    def _errors_have_margins(self) -> PromotionPolicy:
        for metric in self.metrics:
            named = any(key.partition(":")[0] == metric for key in self.margins)
            if metric in ERRORS and not named:
                raise ValueError(f"margins: {metric} needs one of its own, in the unit of the targets")
        return self

    @model_validator(mode="after")
    def _limits_are_of_something(self) -> PromotionPolicy:
        for field, most in (("margins", "is more than a share can lose"), ("floors", "is more than a share can be")):
            for key, value in getattr(self, field).items():
                kind = key.partition(":")[0]
                if kind in _METRICS and kind not in self.metrics:
                    raise ValueError(f"{field}: {key} is of a metric that `metrics` does not name: nobody would look")
                if kind not in _METRICS and ":" not in key and key != "all":
                    raise ValueError(f"{field}: {key} is neither a metric nor a group (ATTRIBUTE:NAME, or all)")
                if value < 0 or (value == 0 and field == "margins"):
                    raise ValueError(f"{field}: {key} is {value:g}, which is not above 0")
                of_errors = kind in ERRORS or (kind not in _METRICS and not ERRORS.isdisjoint(self.metrics))
                if not of_errors and (value > 1 or (value == 1 and field == "margins")):
                    raise ValueError(f"{field}: {key} is {value:g}, which {most}: 0.02 are two points")
        return self

    def margin_of(self, metric: str, group: str) -> float:
        """The margin for a metric in a group."""
        margin = _most_specific(self.margins, metric, group)
        return self.margin if margin is None else margin

    def floor_of(self, metric: str, group: str) -> float | None:
        """The least value for a metric in a group; None for no floor."""
        return _most_specific(self.floors, metric, group)

    def digest(self) -> bytes:
        """SHA-256 of the policy's canonical JSON: what a release names."""
        return sha256(self.canonical().encode()).digest()

    def canonical(self) -> str:
        """The text that is hashed."""
        return canonical_json(self.model_dump(mode="json"))


def _most_specific(values: Mapping[str, float], metric: str, group: str) -> float | None:
    """The value for `metric:group`, else for the group, else for the metric. `recall` stands for each
    `recall:CLASS`."""
    kind = metric.partition(":")[0]
    keys = (f"{metric}:{group}", f"{kind}:{group}", group, metric, kind)
    return next((values[key] for key in keys if key in values), None)
