"""Standard streams that can be used, whatever the process was started with."""

from __future__ import annotations

import contextlib
import io
import os
import sys

_STREAMS = (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w"))


def open_streams() -> None:
    """Where a stream is closed (`>&-`, some services), nothing is read from or written to it; and the next file to be
    opened, a key or an outbox, does not get its number, to be written to by whoever prints. What the encoding of a
    terminal or a pipe does not have is spelt out. A width of zero (COLUMNS, as some services and editors set it) is
    none: nothing at all would be printed, errors included."""
    if os.environ.get("COLUMNS", "").isdecimal() and not int(os.environ["COLUMNS"]):
        del os.environ["COLUMNS"]
    for name, number, mode in _STREAMS:
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 - for the life of the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def silence_output() -> None:
    """Output goes nowhere from now on: the pipe was closed by who read it, and whatever is still buffered with it."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def place_of_output() -> tuple[int, int] | None:
    """Where standard output goes to, to be compared: whoever finds that nobody reads it puts another in its place."""
    try:
        found = os.fstat(sys.stdout.fileno())
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino
