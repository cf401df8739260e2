"""The end of a process that Java, CPython and torch share.

Java ends a process with exit(3), after it has stopped its own threads. Then the destructors of C++ libraries run; some
of torch's take CPython's interpreter lock, and if a thread that Java has stopped holds it, the process never ends (seen
when a job's parent was killed while an operator measured a model). Nothing in those destructors is needed.
"""

from __future__ import annotations

import ctypes


def skip_destructors() -> None:
    """From here on the process ends without the destructors of what is loaded and initialized so far, with the same
    status: handlers run in the opposite order of their registration (glibc's on_exit(3)), and this one is _exit(2). To
    be called when torch has been loaded, and again when it has been used. Does nothing where there is no glibc."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "on_exit"):
        libc.on_exit(libc._exit, None)
