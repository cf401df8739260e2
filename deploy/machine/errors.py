"""What can go wrong with the embedded stack, and what the user can do.

StackError          the message says what happened and what to do next
+-- StartError      a process did not start; carries the end of its log
+-- NotRunning      there is no stack in this data directory
"""

from __future__ import annotations

from pathlib import Path

from fluvial.wire.errors import FluvialError

_TAIL_BYTES = 3_000


class StackError(FluvialError):
    """The embedded stack cannot do what was asked."""


class StartError(StackError):
    """A process ended, or was not ready in time, while it was started."""


class NotRunning(StackError):
    """No stack runs in the data directory."""


def start_error(what: str, log: Path) -> StartError:
    """A StartError with the end of the process's log, which names the cause."""
    try:
        tail = log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
    except OSError:
        tail = "(it wrote no log)"
    return StartError(f"{what}\n--- {log}\n{tail}")
