"""What people read. A plain line is written as it is; rich comes with the first that is more, because its import takes
as long as most answers take to arrive."""

from __future__ import annotations

import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fluvial.cli.consoles import PipedConsole

_WIDE = 4096
"""Columns where no terminal is: what a table holds must reach `grep` whole, a row on a line."""

_STRIPPED = dict.fromkeys(map(ord, "\a\b\v\f\r"))
"""What moves a terminal's cursor, as rich strips it, too."""


class Printer:
    """Standard output, or standard error, as it is when something is printed."""

    def __init__(self, *, stderr: bool = False) -> None:
        self._stderr = stderr

    @cached_property
    def console(self) -> PipedConsole:
        """rich's."""
        from fluvial.cli.consoles import PipedConsole

        width = None if self._stderr else _width()
        return PipedConsole(stderr=self._stderr, highlight=False, soft_wrap=True, width=width)

    def print(self, *what: object, markup: bool = True) -> None:
        """markup: whether texts are rich's markup, not plain."""
        if markup or not all(isinstance(part, str) for part in what):
            self.console.print(*what, markup=markup)
            return
        stream = sys.stderr if self._stderr else sys.stdout
        try:
            stream.write(" ".join(map(str, what)).translate(_STRIPPED) + "\n")
            stream.flush()
        except BrokenPipeError:
            self.console.on_broken_pipe()


def _width() -> int | None:
    """None: as wide as the terminal, or as COLUMNS says."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return None if is_terminal or os.environ.get("COLUMNS") else _WIDE
