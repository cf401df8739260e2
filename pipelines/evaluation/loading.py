"""What evaluation runs is loaded in a thread: torch takes seconds, and no checkpoint of the job is to wait for it."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from contextlib import suppress

from pipelines.flink.process_end import skipping_destructors

MODULES = ("fluvial.edge.training.task_code", "models.evaluation.task")
"""What `pipelines.evaluation.measuring` imports when it measures."""


class Loading:
    """Modules that are imported once in this process, from the first look on. Safe to use from threads."""

    def __init__(self, modules: Sequence[str] = MODULES) -> None:
        self._modules = modules
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
        with suppress(Exception), skipping_destructors():
            for module in self._modules:
                importlib.import_module(module)


of_evaluation = Loading()
