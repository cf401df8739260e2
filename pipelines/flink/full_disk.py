"""What a job does where its disk is full: it says what it can, waits for room, and goes on.

Its log lies on that disk, too, so whoever only says something there would end by it.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fluvial.wire.files import NO_ROOM, refusal

_PAUSE_SECONDS = 2.0


class DroppingFile(io.FileIO):
    """An open file that drops what is written to it while there is no room."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or 0
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            return len(data)


def drop_what_finds_no_room() -> None:
    """Have standard output and standard error of this process never fail for want of room."""
    for name in ("stdout", "stderr"):
        former = getattr(sys, name)
        former.flush()
        file = DroppingFile(former.fileno(), "w", closefd=False)
        text = io.TextIOWrapper(io.BufferedWriter(file), former.encoding, former.errors, line_buffering=True)
        setattr(sys, name, text)


def wait_for_room(folders: Sequence[Path], *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Return once every folder takes a file, or refuses it for another reason than room."""
    while any(_is_full(folder) for folder in folders):
        sleep(_PAUSE_SECONDS)


def _is_full(folder: Path) -> bool:
    refused = refusal(folder)
    return refused is not None and refused.errno in NO_ROOM
