"""The last model by group of the evaluation set, beside the central one on the same examples, and which group is worst.
Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.demo.measures import Margin, label, told

if TYPE_CHECKING:
    from rich.table import Table

    from fluvial.edge.metrics.measure import GroupMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMargin:
    """How far the federated model may stay behind the central one on each group of an attribute."""

    attribute: str
    margin: Margin


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric on one group; None where it is not defined there, or where nobody measured it."""

    attribute: str
    group: str
    num_examples: int
    federated: float | None
    central: float | None

    @property
    def name(self) -> str:
        return f"{self.attribute} {self.group}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ByGroup:
    """margins: that groups are held to. shown: the metric that they are told by, and which way is better. federated,
    central: what was measured of either model, in the evaluation set's order."""

    margins: tuple[GroupMargin, ...] = ()
    shown: Margin | None = None
    federated: tuple[GroupMetrics, ...] = ()
    central: tuple[GroupMetrics, ...] = ()

    def rows(self, metric: str) -> list[Row]:
        """The groups that the federated model was measured on."""
        theirs = {(group.attribute, group.group): group.metrics.get(metric) for group in self.central}
        return [
            Row(
                attribute=group.attribute,
                group=group.group,
                num_examples=group.num_examples,
                federated=group.metrics.get(metric),
                central=theirs.get((group.attribute, group.group)),
            )
            for group in self.federated
        ]

    @property
    def worst(self) -> Row | None:
        """Where the federated model's value is worst; None where it was measured on no group."""
        if self.shown is None:
            return None
        measured = [(row.federated, row) for row in self.rows(self.shown.metric) if row.federated is not None]
        choose = max if self.shown.lower_is_better else min
        return choose(measured, key=lambda pair: pair[0])[1] if measured else None

    def shortfalls(self) -> list[str]:
        """The groups that the federated model is too far behind on, in words; and what could not be compared."""
        found = []
        for each in self.margins:
            metric = each.margin.metric
            rows = [row for row in self.rows(metric) if row.attribute == each.attribute]
            if not rows:
                found.append(f"no group of {each.attribute} was measured")
            for row in rows:
                if row.federated is None or row.central is None:
                    whose = "federated" if row.federated is None else "central"
                    found.append(f"{row.name}: the {whose} model's {metric} was not measured")
                elif shortfall := each.margin.shortfall(row.federated, row.central):
                    found.append(f"{row.name}: {shortfall}")
        return found

    def table(self) -> Table | None:
        """For people, the worst group marked."""
        worst = self.worst
        if self.shown is None or worst is None:
            return None
        metric = self.shown.metric
        from rich.table import Table

        table = Table(title=f"The last model by group: {label(metric)}", title_justify="left")
        for name in ("attribute", "group"):
            table.add_column(name, no_wrap=True)
        for name in ("examples", "federated", "central"):
            table.add_column(name, justify="right")
        for row in self.rows(metric):
            values = (told(metric, row.federated), told(metric, row.central))
            style = "yellow" if row == worst else ""
            table.add_row(row.attribute, row.group, f"{row.num_examples}", *values, style=style)
        return table

    def worst_in_words(self) -> str:
        """The worst group's value beside the central model's; empty where there is none."""
        worst = self.worst
        if self.shown is None or worst is None:
            return ""
        metric = self.shown.metric
        ours, theirs = told(metric, worst.federated), told(metric, worst.central)
        return f"{worst.name}: {label(metric)} {ours}, central {theirs}"


def to_dicts(groups: Sequence[GroupMetrics]) -> list[dict[str, Any]]:
    """For programs, and for files."""
    return [
        {
            "attribute": group.attribute,
            "group": group.group,
            "num_examples": group.num_examples,
            "metrics": dict(group.metrics),
        }
        for group in groups
    ]


def from_dicts(groups: Sequence[dict[str, Any]]) -> tuple[GroupMetrics, ...]:
    """What `to_dicts` gave."""
    from fluvial.edge.metrics.measure import GroupMetrics  # late: numpy, and a run's broker is to start first

    return tuple(GroupMetrics(**group) for group in groups)
