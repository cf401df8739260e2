"""What a task file may name for its loss and its metrics: something built in, or code of its package."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

LOSSES = ("cross_entropy", "binary_cross_entropy", "mean_squared_error", "mean_absolute_error", "huber")
METRICS = ("accuracy", "auc", "macro_f1", "recall", "loss", "mae", "rmse", "r2", "perplexity")

_REFERENCE = r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*"

REFERENCE_PATTERN = rf"^{_REFERENCE}$"

Reference = Annotated[str, Field(pattern=REFERENCE_PATTERN, max_length=256)]
"""Code of the task's package, as `chest_xray.model:net`."""


def is_reference(text: str) -> bool:
    """Whether the text names code, and not something built in."""
    return re.fullmatch(_REFERENCE, text) is not None


def metric_name(wanted: str) -> str:
    """What a metric is called in records: a task's own by its function."""
    return wanted.rpartition(":")[2].rpartition(".")[2]


def _loss(name: str) -> str:
    if name not in LOSSES and not is_reference(name):
        raise ValueError(f"there are the losses {', '.join(LOSSES)}, or module:function of the task's package")
    return name


def _metric(name: str) -> str:
    if name not in METRICS and not is_reference(name):
        raise ValueError(f"there are the metrics {', '.join(METRICS)}, or module:function of the task's package")
    return name


_PATTERN = rf"^({{}}|{_REFERENCE})$"
LossName = Annotated[
    str, AfterValidator(_loss), Field(json_schema_extra={"pattern": _PATTERN.format("|".join(LOSSES))})
]
MetricName = Annotated[
    str, AfterValidator(_metric), Field(json_schema_extra={"pattern": _PATTERN.format("|".join(METRICS))})
]
