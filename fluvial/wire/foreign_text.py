"""Text that somebody else wrote, made harmless for a terminal and for a log.

Whoever may write to a topic, a registry or a file chooses some of the words that we repeat: names, types, reasons, what
an exception quotes. Control characters in them would move the cursor, hide what was printed, or begin a line that looks
like one of ours.
"""

from __future__ import annotations

import logging
import traceback

MAX_CHARACTERS = 4_000
"""Of a line in a log."""

MAX_TRACE_CHARACTERS = 40_000

_NEXT_LINE = "\n  | "
"""Before every further line of a record in a log: none of them looks like the beginning of another."""


def plain(text: str) -> str:
    """Foreign text with its control characters, and those that turn or hide others, spelt out; lines stay lines."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def logger(name: str) -> logging.Logger:
    """The logger of a module. What is logged by it is plain, cut short, and one line, of which further lines are
    marked, whoever chose the words. All our modules take theirs from here."""
    found = logging.getLogger(name)
    if not any(isinstance(each, _Plain) for each in found.filters):
        found.addFilter(_Plain())
    return found


class _Plain(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _line(record.getMessage(), MAX_CHARACTERS), ()
        if record.exc_info and record.exc_info[0] is not None:
            trace = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            record.exc_text = _line(trace, MAX_TRACE_CHARACTERS)
        return True


def _line(text: str, most: int) -> str:
    """The end of a long text tells more than its middle: what an exception says comes last."""
    if len(text) > most:
        text = f"{text[: most // 2]} ... {len(text) - most} characters ... {text[-most // 2 :]}"
    return plain(text).replace("\n", _NEXT_LINE)
