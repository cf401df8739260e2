import os
import signal

import pytest

from fluvial.cli.interruption import interruptible, postponed, uninterrupted


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_raises_inside_and_the_handlers_are_restored(number: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), interruptible():
        send(number)
    assert signal.getsignal(number) is before


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
