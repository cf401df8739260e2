"""What evaluation runs is loaded in a thread: torch takes seconds, and no checkpoint of the job is to wait for it."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from pipelines.flink.process_end import skipping_destructors

MODULES = ("fluvial.edge.training.task_code", "models.evaluation.task")
"""What `pipelines.evaluation.measuring` imports when it measures."""


class Loading:
    """Modules that are imported once in this process, after the first look. Safe to use from threads."""

    def __init__(self, modules: Sequence[str] = MODULES, pause_seconds: float = 0.0) -> None:
        """pause_seconds: between that look and the import."""
        self._modules, self._pause_seconds = modules, pause_seconds
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def is_done(self) -> bool:
        """Whether they are loaded, or cannot be: who imports them then finds out why."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._load, name="loading", daemon=True)
                self._thread.start()
        return not self._thread.is_alive()

    def _load(self) -> None:
        time.sleep(self._pause_seconds)
        with suppress(Exception), skipping_destructors():
            for module in self._modules:
                importlib.import_module(module)


of_evaluation = Loading(pause_seconds=2.5)
"""A first model comes with a task, or when a job starts: others are opening yet then, and announce a round when they
have. They share this interpreter, which an import mostly holds; participants wait for the round, and nobody for the
measurement."""
