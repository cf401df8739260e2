"""The account of a task's training as one HTML page: tables, and plots of speed and of who is left behind."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape

from governance.training_account import DEVICE_WORDS, GROUP_WORDS, TrainingAccount

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;border-bottom:1px solid #ccc;text-align:left}"
)


_MOST_BARS = 40
"""Of a plot; the tables have them all."""


def page(task: str, found: TrainingAccount) -> str:
    """The page, complete in itself."""
    devices = [
        (
            one.device,
            one.precision,
            str(one.participants),
            str(one.updates),
            f"{one.examples_per_second:,.0f}",
            f"{one.speed_up:.2f}",
            f"{one.processor_seconds:.3f}",
            f"{one.joules:.2f}" if one.joules else "-",
            f"{one.bytes_sent:,.0f}",
        )
        for one in found.devices
    ]
    groups = [
        (
            one.group,
            str(one.participants),
            str(one.uninvited),
            str(one.invitations),
            *(f"{100 * share:.1f} %" for share in (one.met, one.included, one.late)),
        )
        for one in found.groups
    ]
    heads = (
        ("device", "precision", "participants", "updates", "examples/s", "speed-up", "CPU s", "joules", "sent"),
        ("kind of device", "participants", "uninvited", "invitations", "met", "included", "late"),
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(task)}: training</title>'
        f"<style>{_STYLE}</style><h1>{escape(task)}: what training costs, and who is left behind</h1>"
        f"{_table(heads[0], devices)}<p>{escape(DEVICE_WORDS)} {found.silent} updates do not say.</p>"
        f"{_table(heads[1], groups)}<p>{escape(GROUP_WORDS)}</p>"
        f"<p>Jain&#8217;s index of included updates: {found.jain_index:.3f} (1: all have as many)</p>"
        f"{_plots(found)}</html>\n"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _plots(found: TrainingAccount) -> str:
    """Examples a second by device, shares by group; SVG."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    # Names are what participants say of themselves: no mathematics.
    pyplot.rcParams["text.parse_math"] = False
    devices, groups = found.devices[:_MOST_BARS], found.groups[:_MOST_BARS]
    rows = max(len(devices), len(groups), 1)
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 0.5 * rows + 1.6))
    axes[0].barh(
        [f"{one.device} {one.precision}" for one in devices] or ["nobody tells"],
        [one.examples_per_second for one in devices] or [0.0],
    )
    axes[0].set_title("examples a second", fontsize=10)
    names = [one.group for one in groups] or ["nobody"]
    places = list(range(len(names)))
    axes[1].barh([place - 0.2 for place in places], [one.met for one in groups] or [0.0], 0.4, label="met")
    included = [one.included for one in groups] or [0.0]
    axes[1].barh([place + 0.2 for place in places], included, 0.4, label="included")
    axes[1].set_yticks(places, names)
    axes[1].set_xlim(0, 1)
    axes[1].set_title("invitations met, updates included", fontsize=10)
    axes[1].legend(fontsize=8)
    figure.tight_layout()
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    return out.getvalue()[out.getvalue().index("<svg") :]
