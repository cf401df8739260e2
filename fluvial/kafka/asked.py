"""Questions to the brokers that are asked at the same time: each waits for connections and answers, little else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Generic, TypeVar, cast

T = TypeVar("T")


class Asked(Generic[T]):
    """A question under way. What it raises is raised where its answer is wanted.

    Nobody waits for it otherwise: a command that is interrupted, or has failed by another question, ends at once.
    """

    def __init__(self, question: Callable[[], T]) -> None:
        """question: runs in a thread of its own, in the caller's context."""
        self._question = question
        self._found: T | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=copy_context().run, args=(self._ask,), name="asked", daemon=True)
        self._thread.start()

    def answer(self) -> T:
        """Waits for it."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return cast(T, self._found)

    def _ask(self) -> None:
        try:
            self._found = self._question()
        except BaseException as error:
            self._error = error
