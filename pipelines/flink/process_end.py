"""The end of a process that Java, CPython and torch share.

Java ends a process with exit(3), after it has stopped its own threads. Then the destructors of C++ libraries run; some
of torch's take CPython's interpreter lock, and if a thread that Java has stopped holds it, the process never ends (seen
when a job's parent was killed while an operator measured a model). Nothing in those destructors is needed.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_EVERY_SECONDS = 0.02


def skip_destructors() -> None:
    """From here on the process ends without the destructors of what is loaded and initialized so far, with the same
    status: handlers run in the opposite order of their registration (glibc's on_exit(3)), and this one is _exit(2). To
    be called when torch has been loaded, and again when it has been used. Does nothing where there is no glibc."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "on_exit"):
        libc.on_exit(libc._exit, None)


@contextmanager
def skipping_destructors() -> Iterator[None]:
    """The same while torch is loaded, or first used, in the block: each of its libraries, and what they make then,
    registers destructors, for seconds, and the process may be ended meanwhile."""
    is_over = threading.Event()

    def skip_again_and_again() -> None:
        while not is_over.wait(_EVERY_SECONDS):
            skip_destructors()

    thread = threading.Thread(target=skip_again_and_again, name="process-end", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        skip_destructors()
