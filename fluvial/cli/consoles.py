"""Consoles of rich that end a command quietly when its output is read no more."""

from __future__ import annotations

from rich.console import Console

from fluvial.cli.exits import Exit
from fluvial.cli.streams import silence_output


class PipedConsole(Console):
    """Prints what is no plain line."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        silence_output()
        raise SystemExit(Exit.BROKEN_PIPE)
