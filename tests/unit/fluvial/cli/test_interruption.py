import os
import signal
import threading

import pytest

from fluvial.cli import interruption
from fluvial.cli.interruption import interruptible, postponed, uninterrupted, wait_until_asked


@pytest.fixture(autouse=True)
def _not_under_nohup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "_SIGNALS", (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_raises_inside_and_the_handlers_are_restored(number: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), interruptible():
        send(number)
    assert signal.getsignal(number) is before


class Callback:
    """Python tells an exception of a finaliser on standard error, and goes on."""

    def __del__(self) -> None:
        send(signal.SIGINT)
        signal.getsignal(signal.SIGINT)  # the handler runs before the next instruction


def interrupted_in_a_callback(went_on: list[bool]) -> None:
    with interruptible():
        callback = Callback()
        del callback
        send(signal.SIGINT)  # does nothing any more
        went_on.append(True)
        wait_until_asked()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_that_was_lost_in_a_callback_ends_the_wait() -> None:
    went_on: list[bool] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted_in_a_callback(went_on)
    assert went_on, "the exception was lost"


def wait_for(timer: threading.Timer) -> None:
    with interruptible():
        timer.start()  # not before: until here the signal would end the process
        wait_until_asked()


def test_the_wait_ends_when_a_signal_comes() -> None:
    timer = threading.Timer(0.05, send, [signal.SIGTERM])
    with pytest.raises(KeyboardInterrupt):
        wait_for(timer)
    timer.join()


def interrupted_twice(done: list[str]) -> None:
    with interruptible():
        try:
            with interruptible():
                try:
                    send(signal.SIGINT)
                finally:
                    send(signal.SIGINT)
                    done.append("inner")
        finally:
            send(signal.SIGTERM)
            done.append("outer")


def test_a_second_signal_does_not_cut_the_clean_up_short() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted_twice(done)
    assert done == ["inner", "outer"]


def test_the_next_block_is_interruptible_again() -> None:
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), interruptible():
            send(signal.SIGINT)


def test_signals_do_nothing_where_they_must_not() -> None:
    with interruptible(), uninterrupted():
        send(signal.SIGINT)


def start_a_process(started: list[str]) -> None:
    with interruptible():
        with postponed():
            send(signal.SIGTERM)
            started.append("a process")
        started.append("what follows")


def test_a_signal_waits_until_what_was_started_has_a_name() -> None:
    started: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        start_a_process(started)
    assert started == ["a process"]
