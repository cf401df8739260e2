"""Showing a run as it goes: a live table on a terminal, plain lines where the output is piped."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from deploy.demo.ledger import Ledger, RoundRow
from deploy.demo.measures import in_order, label, told
from deploy.demo.summary import reasons

_SHOWN = 2


class Progress:
    """Phases and what the ledger says. On a terminal a table is kept current; else each piece of news is a line.

    last_phase: the one that ended last, in words that follow "while".
    """

    def __init__(
        self,
        console: Console,
        title: str,
        expected_rounds: int,
        metrics: Sequence[str],
        started: float | None = None,
    ) -> None:
        """metrics: that the task asks for; the first two are shown as they come. started: when the run began, by the
        monotonic clock; now without it."""
        self._console = console
        self._title = title
        self._expected_rounds = expected_rounds
        self._started = time.monotonic() if started is None else started
        self._phase_started = self._started
        self._phase = ""
        self.last_phase = "starting"
        self._phases: list[tuple[str, float]] = []
        self._ledger: Ledger | None = None
        self._metrics = in_order(metrics)[:_SHOWN]
        self._lines = _Lines(self._metrics)
        self._live = Live(console=console, refresh_per_second=8, transient=True, get_renderable=self._render)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

    @property
    def phases(self) -> tuple[tuple[str, float], ...]:
        """Ended phases and their wall time in seconds."""
        return tuple(self._phases)

    def begin(self, phase: str) -> None:
        """End the phase that runs, and begin another."""
        self.end()
        self._phase, self._phase_started = phase, time.monotonic()
        if not self._console.is_terminal:
            self.say(phase)

    def end(self) -> None:
        """End the phase that runs."""
        if self._phase:
            self.last_phase = self._phase
            self._phases.append((self._phase, time.monotonic() - self._phase_started))
            self._phase = ""

    def say(self, text: str) -> None:
        """One line that stays."""
        self._console.print(f"{self.seconds:6.1f} s  {text}", markup=False, highlight=False, soft_wrap=True)

    def show(self, ledger: Ledger) -> None:
        """Take the ledger's news in."""
        self._ledger = ledger
        if not self._console.is_terminal:
            for line in self._lines.new(ledger):
                self.say(line)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        if self._console.is_terminal:
            self._live.stop()

    def _render(self) -> Group:
        head = Text(f"{self._title}  {self.seconds:.0f} s", style="bold")
        parts: list[Text | Table | Spinner] = [head]
        if self._ledger is not None and self._ledger.rounds:
            parts.append(self._table(self._ledger))
        if self._phase:
            parts.append(Spinner("dots", text=self._phase))
        return Group(*parts)

    def _table(self, ledger: Ledger) -> Table:
        table = Table(box=None, padding=(0, 2))
        for name in ("round", "updates", "", "quorum", "rejected", "late", *map(label, self._metrics)):
            table.add_column(name, justify="left" if name in ("", "quorum", "rejected") else "right")
        for row in ledger.rows():
            opened, taken = ledger.rounds[row.round, row.attempt], ledger.accepted_in(row.round)
            table.add_row(
                f"{row.round}/{self._expected_rounds}",
                f"{taken} of {opened.target}",
                ProgressBar(total=opened.target, completed=min(taken, opened.target), width=20),
                f"{opened.quorum} reached" if taken >= opened.quorum else f"{opened.quorum}",
                reasons(row.rejected),
                f"{row.late}",
                *(told(name, row.metrics.get(name)) for name in self._metrics),
            )
        return table


class _Lines:
    """Tells the news of a ledger, each once."""

    def __init__(self, metrics: Sequence[str]) -> None:
        self._metrics = metrics
        self._opened: set[tuple[int, int]] = set()
        self._reached: set[int] = set()
        self._measured: set[int] = set()
        self._refused = 0

    def new(self, ledger: Ledger) -> list[str]:
        """Lines for what has been added since the last call."""
        lines = []
        for (number, attempt), record in sorted(ledger.rounds.items()):
            if (number, attempt) not in self._opened:
                self._opened.add((number, attempt))
                again = "" if attempt == 1 else f" again (attempt {attempt})"
                seconds = (record.deadline_ms - record.opened_ms) / 1000
                terms = f"quorum {record.quorum}, target {record.target}, deadline {seconds:.0f} s"
                lines.append(f"round {number} open{again}: {terms}")
            if number not in self._reached and ledger.accepted_in(number) >= record.quorum:
                self._reached.add(number)
                lines.append(f"round {number}: quorum reached")
        for row in ledger.rows():
            if row.round not in self._measured and row.metrics:
                self._measured.add(row.round)
                lines.append(_result(row, self._metrics))
        return lines


def _result(row: RoundRow, metrics: Sequence[str]) -> str:
    parts = [f"accepted {row.accepted}"]
    if row.excluded:
        parts.append(f"left out by the rule {row.excluded}")
    parts += [f"rejected {reasons(row.rejected)}", f"late {row.late}"]
    parts += [f"{name} {told(name, row.metrics[name])}" for name in metrics if name in row.metrics]
    return f"round {row.round} done: " + ", ".join(parts)
