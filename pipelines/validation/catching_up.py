"""Whether all is known that registry and rounds held at a time: asked before a record is refused for what it lacks.

The job's own sources of the two topics may lag behind, on a slow machine or while another subtask is busy, for longer
than any wait that would be right elsewhere; then an honest enrolment would be refused for a token that stands in the
log. So the last word before such a refusal is the log's: a thread reads on, from where the sources have come to, and
what it finds is known as if the sources had brought it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from fluvial.wire.errors import TransportError
from fluvial.wire.foreign_text import logger

_PAUSE_SECONDS = 0.5
"""Between two readings: names are free, and a flood of them must not become one of readings."""

_log = logger(__name__)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class CatchingUp:
    """One for a process. read: takes in all that the topics hold; raises TransportError when the broker is away, and is
    tried again when it is asked for. known_ms: a time whose records are known already."""

    def __init__(self, read: Callable[[], None], known_ms: int, pause_seconds: float = _PAUSE_SECONDS) -> None:
        self._read, self._known_ms, self._pause = read, known_ms, pause_seconds
        self._asked, self._stopping = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def is_known(self, at_ms: int) -> bool:
        """Whether a reading that began after this time is through, so that what the log held then is known. If not, one
        begins. Does not wait. What is known by a time that is yet to come is known by a clock that was set back."""
        if at_ms < self._known_ms <= _now_ms():
            return True
        with self._lock:
            if self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._run, name="catching-up", daemon=True)
                self._thread.start()
        self._asked.set()
        return False

    def close(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._asked.set()
        if self._thread is not None:
            self._thread.join(10)

    def _run(self) -> None:
        while True:
            self._asked.wait()
            if self._stopping.is_set():
                return
            self._asked.clear()
            began_ms = _now_ms()
            try:
                self._read()
                self._known_ms = began_ms
            except TransportError as error:
                _log.warning("registry and rounds cannot be read, so nothing is refused for what they lack: %s", error)
            self._stopping.wait(self._pause)
