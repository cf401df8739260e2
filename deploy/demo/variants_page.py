"""The variants of a model as one HTML page: a table, and plots of what acceleration gains and whom it costs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape

from deploy.demo.variants import VariantRow

_COLOURS = {"HELD": "#b3261e", "PROMOTED": "#1b7f3b", "UNDECIDED": "#a06a00"}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;border-bottom:1px solid #ccc;text-align:left}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}"
)


def page(task: str, version: int, rows: Sequence[VariantRow]) -> str:
    """The page, complete in itself."""
    head = "".join(
        f"<th>{name}</th>" for name in ("variant", "verdict", "bytes", "µs", "examples/s", "accuracy", "why")
    )
    body = "".join(_row(row) for row in rows)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(task)}: variants</title>'
        f"<style>{_STYLE}</style><h1>{escape(task)}, version {version}: variants</h1>"
        "<p>Each was compared with the float32 model on the same examples, group by group; a variant that may cost one "
        "group more than the task allows is held.</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{_plot(rows)}</html>\n"
    )


def _row(row: VariantRow) -> str:
    numbers = (f"{row.bytes:,}", f"{row.latency_us:.0f}", f"{row.throughput:,.0f}", f"{100 * row.accuracy:.2f} %")
    cells = "".join(f'<td class="n">{number}</td>' for number in numbers)
    colour = _COLOURS.get(row.verdict, "#000")
    return (
        f'<tr><td>{escape(row.name)}</td><td style="color:{colour}"><b>{escape(row.verdict)}</b></td>{cells}'
        f"<td>{escape(row.reason)}</td></tr>"
    )


def _plot(rows: Sequence[VariantRow]) -> str:
    """Bytes, latency and throughput as bars, coloured by verdict; SVG."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(11, 0.5 * len(rows) + 1.4), sharey=True)
    names = [row.name for row in rows]
    colours = [_COLOURS.get(row.verdict, "#000") for row in rows]
    columns = (
        ("bytes", [row.bytes for row in rows]),
        ("latency of one example, µs", [row.latency_us for row in rows]),
        ("examples a second", [row.throughput for row in rows]),
    )
    for axis, (title, values) in zip(axes, columns, strict=True):
        axis.barh(names, values, color=colours)
        axis.set_title(title, fontsize=10)
        axis.ticklabel_format(axis="x", style="plain")
        axis.tick_params(axis="x", labelrotation=30, labelsize=8)
    axes[0].invert_yaxis()
    figure.tight_layout()
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    return out.getvalue()[out.getvalue().index("<svg") :]
