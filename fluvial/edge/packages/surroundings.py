"""What code of a package, or of a user, finds around it in the process and leaves as it was: random numbers, the
working directory, how numpy and Python take what goes wrong, signals, output. Torch's part is in
`fluvial.edge.training.surroundings`.

What runs afterwards is ours: where numpy is to raise, an update of small numbers could not be encoded, and in another
working directory the files that a command was given are not found.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np

from fluvial.edge.packages.output import output_apart

Setting = tuple[Callable[[], Any], Callable[[Any], object]]
"""What it is now, and how it is made what it was."""

_Before = Sequence[tuple[Setting, Any]]
"""Settings, and what they were."""


@contextmanager
def put_back(settings: Sequence[Setting]) -> Iterator[None]:
    """What is set meanwhile is as before afterwards, each setting whatever becomes of the others; one that cannot be
    read before is left alone. Raises what putting back raises, unless something else was raised meanwhile."""
    before = _as_now(settings)
    with _behind(lambda: _put(before)):
        yield


class Shared:
    """Settings that all threads of the process share."""

    def __init__(self, settings: Sequence[Setting]) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._inside: list[int] = []
        self._first: _Before = []

    @contextmanager
    def put_back(self) -> Iterator[None]:
        """As `put_back`. Threads may be in it together: the last one puts back what the first one found. A thread that
        is alone in it puts back at the end of each of its entries within one another."""
        thread = threading.get_ident()
        before = self._enter(thread)
        with _behind(lambda: self._leave(thread, before)):
            yield

    def _enter(self, thread: int) -> _Before:
        with self._lock:
            before = _as_now(self._settings) if self._is_alone(thread) else self._first
            if not self._inside:
                self._first = before
            self._inside.append(thread)
            return before

    def _leave(self, thread: int, before: _Before) -> None:
        with self._lock:
            self._inside.remove(thread)
            if self._is_alone(thread):
                _put(before)

    def _is_alone(self, thread: int) -> bool:
        return all(other == thread for other in self._inside)


@contextmanager
def process_kept() -> Iterator[None]:
    """The process is as it was afterwards, but for modules that were imported. What is printed goes to standard error:
    standard output may be read by a program."""
    with output_apart(), np.errstate(), _OF_PROCESS.put_back(), put_back(_OF_MAIN_THREAD):
        yield


@contextmanager
def drawing_apart(seed: int) -> Iterator[None]:
    """What Python's and numpy's global generators draw meanwhile follows from the seed; they are put back.

    This holds while one thread of the process draws from them: they are everybody's, and another thread that draws, or
    is in this as well, takes numbers of this one's and leaves it others. Threads do not take turns here, since code of
    a package may wait for threads of its own (a loader's) which are in this too.
    """
    of_python, of_numpy = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


def _as_now(settings: Sequence[Setting]) -> _Before:
    found = []
    for setting in settings:
        with suppress(Exception):
            found.append((setting, setting[0]()))
    return found


def _put(before: _Before) -> None:
    with ExitStack() as stack:  # each is tried
        for setting, value in before:
            stack.callback(_put_one, setting, value)


def _put_one(setting: Setting, value: Any) -> None:
    now, put = setting
    try:
        is_as_before = now() == value
    except Exception:  # what cannot be read any more has been changed
        is_as_before = False
    if not is_as_before:
        put(value)


@contextmanager
def _behind(restore: Callable[[], None]) -> Iterator[None]:
    """Whatever is raised meanwhile is not hidden by what goes wrong at the end."""
    try:
        yield
    except BaseException:
        with suppress(Exception):
            restore()
        raise
    restore()


def _back_to(folder: str) -> None:
    with suppress(OSError):  # it has been deleted
        os.chdir(folder)


def _warnings_as_errors() -> list[Any]:
    return [one for one in warnings.filters if one[0] == "error"]


def _no_others_as_errors(before: list[Any]) -> None:
    """Other filters stay: a library adds its own when it is imported, which it is once."""
    warnings.filters[:] = [one for one in warnings.filters if one[0] != "error" or one in before]  # type: ignore[index]


def _handler_of(number: signal.Signals) -> Setting:
    def put(handler: Any) -> None:
        # Nobody sets handlers in other threads, and one that is not Python's cannot be set.
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(number, handler)

    return lambda: signal.getsignal(number), put


_OF_PROCESS = Shared(
    (
        (os.getcwd, _back_to),
        (gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
        (_warnings_as_errors, _no_others_as_errors),
    )
)
_OF_MAIN_THREAD: Sequence[Setting] = [
    _handler_of(number) for number in signal.Signals if number.name in ("SIGINT", "SIGTERM", "SIGHUP")
]
