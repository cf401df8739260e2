"""Whether this process runs the code of the job whose operators open in it.

The interpreter of a TaskManager keeps its modules as long as it lives, whatever code comes with the next job. So a job
whose code is another than what is loaded must not run there: it fails, and where the TaskManager has no other job
(`ONE_JOB`), it ends, and the one that comes in its place loads the new code.
"""

from __future__ import annotations

import os
import signal
import threading

from fluvial.wire.errors import FluvialError

ONE_JOB = "FLUVIAL_ONE_JOB"
"""Environment variable that says of a TaskManager, if it is set, that it has one slot and is started again by whoever
looks after it."""

_loaded: list[str] = []
_lock = threading.Lock()


class StaleCode(FluvialError):
    """This process has loaded the code of another submission."""


def check_loaded_code(code: str) -> None:
    """code: the digest of the job's code; empty where its process is its own. Raises StaleCode."""
    if not code:
        return
    with _lock:
        if not _loaded:
            _loaded.append(code)
        if _loaded[0] == code:
            return
    if os.environ.get(ONE_JOB):
        os.kill(os.getpid(), signal.SIGTERM)
        raise StaleCode("this TaskManager has the code of another submission loaded, and ends")
    raise StaleCode(
        "this TaskManager has the code of another submission loaded: start its TaskManagers again, or run jobs of "
        "different code on different ones"
    )
