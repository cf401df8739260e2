"""A page with the course of a task's metrics: lines over its versions or rounds, and tables beneath. It needs nothing
but itself: no script, no font, no picture, no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10

from fluvial.wire.foreign_text import plain

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#a06a00", "#7a3e9d", "#5b5b5b")
"""Told apart by who sees fewer colours, too (after Okabe and Ito, 2008, "Color Universal Design"); then dashes."""
_DASHES = ("", "6 3", "2 3", "8 3 2 3")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 460, 230, 62, 12, 10, 34
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}"
    ".panels{display:flex;flex-wrap:wrap;gap:1.5rem}figure{margin:0;max-width:460px}figcaption{font-weight:600}"
    "svg{max-width:100%;height:auto}.key{font-size:13px}.key span{white-space:nowrap;margin-right:.8rem}"
    "table{border-collapse:collapse;margin-top:1.5rem}td,th{padding:.2rem .8rem;border-bottom:1px solid #ddd;"
    "text-align:right}td:first-child,th:first-child{text-align:left}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """points: (version or round, value), ascending. band: (version or round, lowest, highest), what lies around."""

    label: str
    points: tuple[tuple[int, float], ...]
    band: tuple[tuple[int, float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Lines that share their axes."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table: a row for each version, or each group."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def page(title: str, subtitle: str, panels: Sequence[Panel], grids: Sequence[Grid], across: str = "version") -> str:
    """The page. across: what the lines run over."""
    figures = "".join(_figure(panel, across) for panel in panels if any(line.points for line in panel.lines))
    tables = "".join(map(_table, grids))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{_text(title)}</h1><p>{_text(subtitle)}</p>\n"
        f'<div class="panels">{figures}</div>\n{tables}</body></html>\n'
    )


def _text(text: str) -> str:
    return escape(plain(text))


def _table(grid: Grid) -> str:
    head = "".join(f"<th>{_text(cell)}</th>" for cell in grid.heads)
    rows = "\n".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in grid.rows)
    return f"<table><tr>{head}</tr>\n{rows}</table>\n"


def _figure(panel: Panel, across: str) -> str:
    axes = _Axes(panel)
    drawn = "".join(_drawn(line, number, axes) for number, line in enumerate(panel.lines))
    key = "".join(
        f'<span><svg width="26" height="8" viewBox="0 0 26 8"><path d="M0 4H26" {_stroke(number)}/></svg> '
        f"{_text(line.label)}</span>"
        for number, line in enumerate(panel.lines)
    )
    return (
        f"<figure><figcaption>{_text(panel.title)}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" font-size="11">{axes.drawn(across)}{drawn}</svg>'
        f'<div class="key">{key}</div></figure>'
    )


def _drawn(line: Line, number: int, axes: _Axes) -> str:
    course = "; ".join(f"{place}: {value:.6g}" for place, value in line.points)
    parts = [f"<g><title>{_text(line.label)}: {course}</title>"]
    if line.band:
        there = [f"{axes.x(place):.1f},{axes.y(highest):.1f}" for place, _, highest in line.band]
        back = [f"{axes.x(place):.1f},{axes.y(lowest):.1f}" for place, lowest, _ in reversed(line.band)]
        parts.append(f'<polygon points="{" ".join([*there, *back])}" fill="{_colour(number)}" opacity=".15"/>')
    places = [(axes.x(place), axes.y(value)) for place, value in line.points]
    parts.append(
        f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}" fill="none" {_stroke(number)}/>'
    )
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{_colour(number)}"/>' for x, y in places]
    return "".join([*parts, "</g>"])


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _stroke(number: int) -> str:
    dashes = _DASHES[number // len(_COLOURS) % len(_DASHES)]
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'stroke="{_colour(number)}" stroke-width="1.6"{dashed}'


class _Axes:
    """Where values lie in a panel's picture."""

    def __init__(self, panel: Panel) -> None:
        places = [place for line in panel.lines for place, _ in line.points]
        values = [value for line in panel.lines for _, value in line.points]
        values += [bound for line in panel.lines for _, *bounds in line.band for bound in bounds]
        self._first, self._last = min(places), max(places)
        low, high = min(values), max(values)
        spare = 0.05 * (high - low) or 0.05 * abs(low) or 0.5
        self._low, self._high = low - spare, high + spare

    def x(self, place: float) -> float:
        width = _WIDTH - _LEFT - _RIGHT
        span = self._last - self._first
        return _LEFT + (width * (place - self._first) / span if span else width / 2)

    def y(self, value: float) -> float:
        height = _HEIGHT - _TOP - _BOTTOM
        return _TOP + height * (self._high - value) / (self._high - self._low)

    def drawn(self, across: str) -> str:
        """Lines of the grid with their numbers."""
        parts = []
        for value in _steps(self._low, self._high, 5):
            y = f"{self.y(value):.1f}"
            parts.append(f'<path d="M{_LEFT} {y}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
            parts.append(
                f'<text x="{_LEFT - 6}" y="{y}" text-anchor="end" dominant-baseline="middle">{value:.6g}</text>'
            )
        places = sorted({round(step) for step in _steps(self._first, self._last, 8)})
        parts += [f'<text x="{self.x(at):.1f}" y="{_HEIGHT - 20}" text-anchor="middle">{at}</text>' for at in places]
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        parts.append(f'<text x="{middle}" y="{_HEIGHT - 4}" text-anchor="middle">{_text(across)}</text>')
        return "".join(parts)


def _steps(low: float, high: float, most: int) -> Iterator[float]:
    """At most so many round numbers from low to high, evenly apart."""
    if high <= low:
        yield low
        return
    rough = (high - low) / most
    unit = 10.0 ** floor(log10(rough))
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough)
    number = -floor(-low / step)
    while number * step <= high:
        yield number * step
        number += 1
