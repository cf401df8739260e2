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
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from fluvial.edge.packages.output import output_apart

Setting = tuple[Callable[[], Any], Callable[[Any], object]]
"""What it is now, and how it is made what it was."""


@contextmanager
def put_back(settings: Sequence[Setting]) -> Iterator[None]:
    """What is set meanwhile is as before afterwards."""
    before = [now() for now, _ in settings]
    try:
        yield
    finally:
        for (now, put), value in zip(settings, before, strict=True):
            if now() != value:
                put(value)


@contextmanager
def process_kept() -> Iterator[None]:
    """The process is as it was afterwards, but for modules that were imported. What is printed goes to standard error:
    standard output may be read by a program."""
    with output_apart(), np.errstate(), put_back(_SETTINGS):
        yield


@contextmanager
def drawing_apart(seed: int) -> Iterator[None]:
    """What Python's and numpy's global generators draw meanwhile follows from the seed; they are put back."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it has been deleted
        return ""


def _back_to(folder: str) -> None:
    with suppress(OSError):
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


_SETTINGS: Sequence[Setting] = (
    (_folder, _back_to),
    (gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
    (_warnings_as_errors, _no_others_as_errors),
    _handler_of(signal.SIGINT),
    _handler_of(signal.SIGTERM),
)
