"""What a simulation came to, for people: lines and tables for a terminal, and a page or picture with the learning curve
and the metrics by group."""

from __future__ import annotations

import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from deploy.simulation.books import RoundRow, rejections
from fluvial.cli.common import shown

_BLOCKS = "▁▂▃▄▅▆▇█"


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
    lines = []
    for name in _metrics(rows):
        values = _course(rows, name)
        low, high = min(values), max(values)
        steps = [round((value - low) / (high - low) * (len(_BLOCKS) - 1)) if high > low else 0 for value in values]
        blocks = "".join(_BLOCKS[step] for step in steps)
        lines.append(f"{name:>10} {values[0]:.4f} {blocks} {values[-1]:.4f}")
    return lines


def groups(rows: Sequence[RoundRow]) -> Table | None:
    """The last model by group, None where the evaluation set tells none apart."""
    last = rows[-1].metrics if rows else None
    if last is None or not last.groups:
        return None
    table = Table("attribute", "group", "examples", *map(shown, last.metrics))
    table.add_row("", "all", "", *(f"{value:.4f}" for value in last.metrics.values()))
    for group in last.groups:
        values = (f"{group.metrics[name]:.4f}" if name in group.metrics else "-" for name in last.metrics)
        table.add_row(shown(group.attribute), shown(group.group), str(group.num_examples), *values)
    return table


def write_page(path: Path, title: str, subtitle: str, rows: Sequence[RoundRow]) -> None:
    """A picture where the name ends in .png, otherwise a page that needs nothing but itself. Raises OSError."""
    figure = _figure(title, rows)
    if path.suffix.lower() == ".png":
        figure.savefig(path, dpi=120)
        return
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    picture = drawn.getvalue()
    body = "\n".join(
        f"<tr>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in cells)}</tr>" for cells in _cells(rows)
    )
    head = "".join(f"<th>{html.escape(name)}</th>" for name in _heads(rows))
    path.write_text(
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>
<style>body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem }}
table {{ border-collapse: collapse }}
td, th {{ border-bottom: 1px solid #ddd; padding: .2rem .8rem; text-align: right }}
svg {{ max-width: 100%; height: auto }}</style></head>
<body><h1>{html.escape(title)}</h1><p>{html.escape(subtitle)}</p>
{picture[picture.index("<svg") :]}
<table><tr>{head}</tr>
{body}</table></body></html>
"""
    )


def _figure(title: str, rows: Sequence[RoundRow]) -> Any:
    """The learning curve, and beside it the first metric by group, where there are groups."""
    from matplotlib.figure import Figure

    names, last = _metrics(rows), rows[-1].metrics if rows else None
    by_group = last is not None and bool(last.groups)
    figure = Figure(figsize=(11, 4.2) if by_group else (7, 4.2), layout="constrained")
    axes = figure.subplots(1, 2 if by_group else 1, squeeze=False)[0]
    for name in names:
        axes[0].plot([row.round for row in rows], _course(rows, name), marker=".", label=name)
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


def _heads(rows: Sequence[RoundRow]) -> list[str]:
    return ["round", "updates", "left out", "rejected", "late", *_metrics(rows), "model"]


def _cells(rows: Sequence[RoundRow]) -> list[list[object]]:
    names = _metrics(rows)
    return [
        [
            row.round,
            row.included,
            row.excluded,
            sum(row.rejected.values()),
            row.late,
            *(f"{row.metrics.metrics[name]:.4f}" if row.metrics else "" for name in names),
            row.model_digest[:12],
        ]
        for row in rows
    ]


def _metrics(rows: Sequence[RoundRow]) -> list[str]:
    return list(rows[0].metrics.metrics) if rows and rows[0].metrics else []


def _course(rows: Sequence[RoundRow], name: str) -> list[float]:
    return [row.metrics.metrics[name] for row in rows if row.metrics]


def _shown(metrics: Mapping[str, float]) -> list[str]:
    return [f"{name} {value:.4f}" for name, value in metrics.items()]
