"""What a simulation came to, for people: lines and tables for a terminal, and a page or picture with the learning curve
and the metrics by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from deploy.simulation.books import RoundRow, rejections
from fluvial.cli.course import Course, Step, as_table, blocks, grids, panels
from fluvial.cli.metrics_page import page
from fluvial.wire.files import replace_file


def line_of(row: RoundRow) -> str:
    """One round."""
    parts = [f"{row.included} updates"]
    parts += [f"{row.excluded} left out by the rule"] if row.excluded else []
    parts += [rejections(reason, number, row.beyond.get(reason)) for reason, number in row.rejected.items()]
    parts += [f"{row.late} late"] if row.late else []
    parts += [f"{row.sat_out} sat out"] if row.sat_out else []
    parts += [f"attempt {row.attempts}"] if row.attempts > 1 else []
    metrics = "" if row.metrics is None else "; " + ", ".join(_shown(row.metrics.metrics))
    return f"round {row.round}: {', '.join(parts)}{metrics}"


def curves(rows: Sequence[RoundRow]) -> list[str]:
    """The course of each metric, as a line of blocks between its lowest and highest value."""
    return blocks(_course_of(rows))


def groups(rows: Sequence[RoundRow]) -> Table | None:
    """The last model by group, None where the evaluation set tells none apart."""
    by_group = grids(_course_of(rows))[1:]
    return as_table(by_group[0]) if by_group else None


def write_page(path: Path, title: str, subtitle: str, rows: Sequence[RoundRow]) -> None:
    """A picture where the name ends in .png, otherwise a page that needs nothing but itself. Raises OSError."""
    if path.suffix.lower() == ".png":
        _figure(title, rows).savefig(path, dpi=120)
        return
    course = _course_of(rows)
    replace_file(path, page(title, subtitle, panels(course), grids(course), across="round"))


def _course_of(rows: Sequence[RoundRow]) -> Course:
    steps = tuple(
        Step(
            place=row.round,
            cells=tuple(
                map(str, (row.included, row.excluded, sum(row.rejected.values()), row.late, row.model_digest[:12]))
            ),
            metrics=row.metrics.metrics if row.metrics else {},
            groups=row.metrics.groups if row.metrics else (),
        )
        for row in rows
    )
    return Course(across="round", heads=("updates", "left out", "rejected", "late", "model"), steps=steps)


def _figure(title: str, rows: Sequence[RoundRow]) -> Any:
    """The learning curve, and beside it the first metric by group, where there are groups."""
    from matplotlib.figure import Figure

    course, last = _course_of(rows), rows[-1].metrics if rows else None
    names = course.metrics
    by_group = last is not None and bool(last.groups)
    figure = Figure(figsize=(11, 4.2) if by_group else (7, 4.2), layout="constrained")
    axes = figure.subplots(1, 2 if by_group else 1, squeeze=False)[0]
    for name in names:
        axes[0].plot(*zip(*course.points(name), strict=True), marker=".", label=name)
    axes[0].set(xlabel="round", title=title)
    axes[0].grid(alpha=0.3)
    if names:
        axes[0].legend()
    if last is not None and by_group:
        bars = [
            (f"{group.attribute}: {group.group} ({group.num_examples})", group.metrics[names[0]])
            for group in last.groups
            if names[0] in group.metrics
        ]
        axes[1].barh([label for label, _ in bars], [value for _, value in bars])
        axes[1].axvline(last.metrics[names[0]], color="black", linewidth=1)
        axes[1].invert_yaxis()
        axes[1].set(title=f"{names[0]} by group; line: all")
    return figure


def _shown(metrics: Mapping[str, float]) -> list[str]:
    return [f"{name} {value:.4f}" for name, value in metrics.items()]
