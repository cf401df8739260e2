"""Ctrl-C, SIGTERM and SIGHUP as one exception, and shutdowns that they cannot cut short. For the main thread.

SIGTERM needs a handler of ours for another reason, too: process 1 of a container has no default one, and would have to
be killed.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Never


def _signals() -> tuple[int, ...]:
    """Those that ask a process to end. Not SIGHUP where whoever started it had it ignored, as `nohup` does: then it is
    to outlive its terminal."""
    names = ["SIGINT", "SIGTERM"]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        names.append("SIGHUP")
    return tuple(getattr(signal, name) for name in names)


_SIGNALS = _signals()

_blocks: list[object] = []
"""The `interruptible` blocks that this process is inside of."""
_ending = False
"""Whether such a signal came, and what is inside the blocks is on its way out."""

_INTERRUPTED = 130
_LOOK_SECONDS = 0.5


def _interrupt(number: int, _: FrameType | None) -> None:
    global _ending
    if not _ending:
        _ending = True
        raise KeyboardInterrupt(signal.Signals(number).name)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Inside, the first signal that asks the process to end raises KeyboardInterrupt, so that `finally` clauses run.

    Further ones do nothing until the outermost block has been left: an impatient second Ctrl-C must not cut the
    clean-up short, wherever it falls.
    """
    global _ending
    block = object()
    with _handlers(_interrupt):
        _blocks.append(block)
        try:
            yield
        finally:
            _blocks.remove(block)
            if not _blocks:
                _ending = False


def wait_until_asked() -> Never:
    """Inside such a block: wait for a signal that asks the process to end. Raises KeyboardInterrupt.

    One that came before counts: its exception may have been lost, in a callback of a library for example, where Python
    tells it on standard error and goes on, and all further signals do nothing."""
    while not _ending:
        time.sleep(_LOOK_SECONDS)
    raise KeyboardInterrupt


def leave_when_asked() -> None:
    """Outside of all blocks such a signal ends the process at once, without a word: a command calls this before its
    first block, so that none falls between the end of the last block and that of the interpreter."""
    if threading.current_thread() is threading.main_thread():
        _set_handlers(lambda *_: os._exit(_INTERRUPTED))
        # The interpreter's last act gives every signal its default action back, except to those that are ignored.
        atexit.register(_set_handlers, signal.SIG_IGN)


def _set_handlers(handler: object) -> None:
    for number in _SIGNALS:
        signal.signal(number, handler)  # type: ignore[arg-type]


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Inside, those signals do nothing: a second Ctrl-C does not stop the shutdown that the first one began."""
    with _handlers(signal.SIG_IGN):
        yield


@contextlib.contextmanager
def postponed() -> Iterator[None]:
    """Inside, such a signal waits for the end of the block: between a process that has been started and the name that
    it is kept by, an exception would leave it to itself."""
    came: list[int] = []
    try:
        with _handlers(lambda number, _: came.append(number)):
            yield
    finally:
        if came:
            signal.raise_signal(came[0])


@contextlib.contextmanager
def _handlers(handler: object) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.signal(number, handler) for number in _SIGNALS}  # type: ignore[arg-type]
    try:
        yield
    finally:
        for number, handler_before in former.items():
            signal.signal(number, handler_before)
