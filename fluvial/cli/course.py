"""The course of a task's metrics, over the rounds of a simulation or the versions of a federation: as lines of blocks
for a terminal, as panels and tables of a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table

from fluvial.cli.common import shown
from fluvial.cli.metrics_page import Grid, Line, Panel
from fluvial.wire.records import ParticipantsMetric

if TYPE_CHECKING:
    from fluvial.edge.metrics import GroupMetrics

_BLOCKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One round or version. place: its number. cells: what is told of it besides. metrics: empty where it was not
    measured, and reason may say why. told: what participants measured of it on held-out examples."""

    place: int
    cells: tuple[str, ...] = ()
    metrics: Mapping[str, float]
    groups: tuple[GroupMetrics, ...] = ()
    reason: str = ""
    told: tuple[ParticipantsMetric, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """across: what the steps are, round or version. heads: of their cells."""

    across: str
    heads: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics, in the order in which they first come."""
        return tuple(dict.fromkeys(name for step in self.steps for name in step.metrics))

    def points(self, metric: str) -> tuple[tuple[int, float], ...]:
        """Of all examples."""
        return tuple((step.place, step.metrics[metric]) for step in self.steps if metric in step.metrics)

    def points_of(self, metric: str, attribute: str, group: str) -> tuple[tuple[int, float], ...]:
        """Of a group's examples."""
        return tuple(
            (step.place, each.metrics[metric])
            for step in self.steps
            for each in step.groups
            if (each.attribute, each.group) == (attribute, group) and metric in each.metrics
        )


def blocks(course: Course) -> list[str]:
    """Each metric as a line of blocks between its lowest and highest value."""
    lines = []
    for name in course.metrics:
        values = [value for _, value in course.points(name)]
        low, high = min(values), max(values)
        steps = [round((value - low) / (high - low) * (len(_BLOCKS) - 1)) if high > low else 0 for value in values]
        lines.append(f"{name:>10} {values[0]:.4f} {''.join(_BLOCKS[step] for step in steps)} {values[-1]:.4f}")
    return lines


def panels(course: Course) -> list[Panel]:
    """Each metric, then the first by group, one panel an attribute, then what participants told. Values of one metric
    by name (the recall of each class) share a panel."""
    found: dict[str, list[Line]] = {}
    for name in course.metrics:
        title, _, part = name.partition(".")
        found.setdefault(title, []).append(Line(label=part or "all examples", points=course.points(name)))
    drawn = [Panel(title=title, lines=tuple(lines)) for title, lines in found.items()]
    groups = dict.fromkeys((each.attribute, each.group) for step in course.steps for each in step.groups)
    if course.metrics:
        metric = course.metrics[0]
        for attribute in dict.fromkeys(attribute for attribute, _ in groups):
            lines = [Line(label="all examples", points=course.points(metric))]
            lines += [
                Line(label=group, points=course.points_of(metric, attribute, group))
                for of, group in groups
                if of == attribute
            ]
            drawn.append(Panel(title=f"{metric} by {attribute}", lines=tuple(line for line in lines if line.points)))
    return drawn + list(_told_panels(course))


def grids(course: Course) -> list[Grid]:
    """All steps; the last one that tells groups apart, by group; the last one of which participants told."""
    reasons = any(step.reason for step in course.steps)
    heads = (course.across, *course.heads, *course.metrics, *(["not measured"] if reasons else []))
    rows = tuple(
        (str(step.place), *step.cells, *_values(step.metrics, course.metrics), *([step.reason] if reasons else []))
        for step in course.steps
    )
    return [Grid(heads=heads, rows=rows), *_groups(course), *_told(course)]


def as_table(grid: Grid) -> Table:
    """For a terminal."""
    table = Table(box=None, pad_edge=False)
    for place, head in enumerate(grid.heads):
        table.add_column(shown(head), justify="left" if place == 0 else "right")
    for row in grid.rows:
        table.add_row(*map(shown, row))
    return table


def _values(values: Mapping[str, float], names: Sequence[str]) -> list[str]:
    return [f"{values[name]:.4f}" if name in values else "-" for name in names]


def _groups(course: Course) -> Iterator[Grid]:
    last = next((step for step in reversed(course.steps) if step.groups), None)
    if last is None:
        return
    names = tuple(last.metrics)
    reasons = any(each.reason for each in last.groups)
    rows = [("", "all", "", *_values(last.metrics, names), *([""] if reasons else []))]
    rows += [
        (each.attribute, each.group, f"{each.num_examples}", *_values(each.metrics, names))
        + ((each.reason,) if reasons else ())
        for each in last.groups
    ]
    heads = (f"{course.across} {last.place} by", "group", "examples", *names, *(["left out"] if reasons else []))
    yield Grid(heads=heads, rows=tuple(rows))


def _told_panels(course: Course) -> Iterator[Panel]:
    told = [each for step in course.steps for each in step.told if not each.attribute]
    for metric in dict.fromkeys(each.metric for each in told):
        of_metric = sorted((each for each in told if each.metric == metric), key=lambda each: each.version)
        mean = Line(
            label="weighted mean, and quartiles",
            points=tuple((each.version, each.mean) for each in of_metric),
            band=tuple((each.version, each.p25, each.p75) for each in of_metric),
        )
        median = Line(label="median", points=tuple((each.version, each.p50) for each in of_metric))
        yield Panel(title=f"{metric}, told by participants", lines=(mean, median))


def _told(course: Course) -> Iterator[Grid]:
    last = next((step for step in reversed(course.steps) if step.told), None)
    if last is None:
        return
    heads = (f"{course.across} {last.place}, told", "metric", "weighted mean", "median", "quartiles", "participants")
    rows = tuple(
        (
            f"{each.attribute} {each.group}".strip() or "all",
            each.metric,
            f"{each.mean:.4f}",
            f"{each.p50:.4f}",
            f"{each.p25:.4f} to {each.p75:.4f}",
            f"{each.participants}",
            f"{each.num_examples}",
        )
        for each in last.told
    )
    yield Grid(heads=(*heads, "examples"), rows=rows)
