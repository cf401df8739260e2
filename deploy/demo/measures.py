"""Metrics as the demonstration shows them, and how far a model may stay behind the central one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

SHARES = frozenset({"accuracy", "auc", "macro_f1", "recall"})
"""Told in percent."""

LOWER_IS_BETTER = frozenset({"loss", "mae", "rmse", "perplexity"})
"""Of the metrics that are built in; a task says it of its own."""

_FIRST = ("accuracy", "loss", "auc")
_LABELS = {"auc": "AUC"}


def in_order(names: Iterable[str]) -> list[str]:
    """Each name once: accuracy, loss and AUC first, the others as they come."""
    unique = list(dict.fromkeys(names))
    return sorted(unique, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))


def label(name: str) -> str:
    """The head of a metric's column."""
    return _LABELS.get(name, name)


def told(name: str, value: float | None) -> str:
    """A value of that metric, "-" where it is not known."""
    if value is None:
        return "-"
    return f"{value * 100:.1f} %" if is_share(name) else f"{value:.3f}"


def is_share(name: str) -> bool:
    """Whether the metric is a share of 1; of a metric with several values (recall.CLASS) each is what the metric is."""
    return name.partition(".")[0] in SHARES


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """How far a metric of the federated model may stay behind the central one's. unit: points are hundredths of the
    metric itself, percent are of the central model's value."""

    metric: str
    size: float
    unit: Literal["points", "percent"]
    lower_is_better: bool

    def shortfall(self, federated: float, central: float) -> str:
        """How far behind it is, in words; empty where that is allowed."""
        behind = federated - central if self.lower_is_better else central - federated
        if self.unit == "points":
            if behind <= self.size / 100:
                return ""
            return (
                f"{self.metric} is {behind * 100:.1f} points behind the central model; at most {self.size:g} "
                "are allowed"
            )
        if behind <= abs(central) * self.size / 100:
            return ""
        where = "above" if self.lower_is_better else "below"
        return (
            f"{self.metric} {told(self.metric, federated)} is more than {self.size:g} % {where} the central model's "
            f"{told(self.metric, central)}"
        )

    def __str__(self) -> str:
        return f"{self.size:g} {'%' if self.unit == 'percent' else 'points'}"


def margins_in_words(margins: Sequence[Margin]) -> str:
    """What a run that holds up is within, to be followed by "of central training"."""
    sizes = {str(margin) for margin in margins}
    if len(sizes) == 1 and margins[0].unit == "points":
        return sizes.pop()
    return ", ".join(f"{margin} ({margin.metric})" for margin in margins)


def shortfalls(margins: Sequence[Margin], federated: Mapping[str, float], central: Mapping[str, float]) -> list[str]:
    """What of the federated model is too far behind the central one, in words; a margin that the central model was not
    measured by says nothing, as long as another does."""
    applicable = [margin for margin in margins if margin.metric in central]
    if not applicable:
        return ["there is no central model to compare with"]
    found = []
    for margin in applicable:
        value = federated.get(margin.metric)
        if value is None:
            found.append(f"the federated model's {margin.metric} was not measured")
        elif shortfall := margin.shortfall(value, central[margin.metric]):
            found.append(shortfall)
    return found
