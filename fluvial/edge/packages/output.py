"""What code of a package prints, beside what a command prints: standard output may be read by a program."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_LOCK = threading.Lock()
_inside = 0
_kept: TextIO | None = None


@contextmanager
def output_apart() -> Iterator[None]:
    """Standard output goes to standard error meanwhile. Threads may be in it together: the last one puts it back."""
    global _inside, _kept
    with _LOCK:
        if not _inside:
            _kept, sys.stdout = sys.stdout, sys.stderr
        _inside += 1
    try:
        yield
    finally:
        with _LOCK:
            _inside -= 1
            if not _inside and _kept is not None:
                sys.stdout, _kept = _kept, None
