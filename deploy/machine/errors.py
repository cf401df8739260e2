"""What can go wrong with the embedded stack, and what the user can do.

StackError          the message says what happened and what to do next
+-- StartError      a process did not start; carries the end of its log
+-- NotRunning      there is no stack in this data directory
"""

from __future__ import annotations

from pathlib import Path

from fluvial.wire.errors import FluvialError

_TAIL_BYTES = 3_000
_LOOK_BYTES = 256 << 10
_LAST_WORD = "error: "


class StackError(FluvialError):
    """The embedded stack cannot do what was asked."""


class StartError(StackError):
    """A process ended, or was not ready in time, while it was started."""


class NotRunning(StackError):
    """No stack runs in the data directory."""


def start_error(what: str, log: Path, *, has_last_word: bool = False) -> StartError:
    """A StartError with the end of the process's log, which names the cause.

    has_last_word: the process says in a line that begins with "error: " why it ended. That line alone is given then,
    whatever Java and its client have written behind it.
    """
    try:
        text = log.read_bytes()[-_LOOK_BYTES:].decode(errors="replace")
    except OSError:
        return StartError(f"{what}\n--- {log}\n(it wrote no log)")
    said = [line.removeprefix(_LAST_WORD) for line in text.splitlines() if line.startswith(_LAST_WORD)]
    if has_last_word and said:
        return StartError(f"{what}: {said[-1]}\n(more in {log})")
    return StartError(f"{what}\n--- {log}\n{text[-_TAIL_BYTES:].strip()}")
