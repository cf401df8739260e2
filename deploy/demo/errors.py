"""What can go wrong with a demonstration."""

from __future__ import annotations

from pathlib import Path

_TAIL_LINES = 25
_TAIL_BYTES = 20_000


class DemoFailed(RuntimeError):
    """The run cannot go on. The message says what happened and shows the end of the log that knows more."""


def tail(log: Path) -> str:
    """The end of a log, under its name."""
    try:
        text = log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
    except OSError:
        text = "(it wrote no log)"
    return "\n".join([f"--- end of {log.name}", *text.strip().splitlines()[-_TAIL_LINES:]])
