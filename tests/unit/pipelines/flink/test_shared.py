"""What the subtasks of a process share lives as long as one of them uses it."""

from __future__ import annotations

import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.flink.shared import Shared, ended_with


def test_a_value_is_made_once_and_closed_when_nobody_uses_it() -> None:
    closed: list[object] = []
    shared: Shared[str, object] = Shared(closed.append)
    first = shared.acquire("a", object)
    assert shared.acquire("a", object) is first
    other = shared.acquire("b", object)
    assert other is not first
    shared.release("a")
    assert closed == []
    shared.release("a")
    assert closed == [first]
    assert shared.acquire("a", object) is not first


def test_who_asks_while_it_is_made_waits_for_it() -> None:
    made: list[int] = []

    def make() -> int:
        time.sleep(0.05)
        made.append(threading.get_ident())
        return len(made)

    shared: Shared[str, int] = Shared()
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda _: shared.acquire("a", make), range(8))) == {1}


def test_what_could_not_be_made_is_tried_again() -> None:
    shared: Shared[str, int] = Shared()

    def fail() -> int:
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        shared.acquire("a", fail)
    assert shared.acquire("a", lambda: 1) == 1
    shared.release("a")
    with pytest.raises(KeyError):
        shared.release("a")


@pytest.mark.usefixtures("only_what_is_new_is_collected")
def test_what_ends_with_an_operator_ends_once_when_it_is_closed_or_collected() -> None:
    class Operator:
        pass

    ended: list[str] = []
    closed, collected = Operator(), Operator()
    end = ended_with(closed, lambda: ended.append("closed"))
    ended_with(collected, lambda: ended.append("collected"))
    end()
    end()
    assert ended == ["closed"]
    del closed, collected
    gc.collect()
    deadline = time.monotonic() + 10
    while len(ended) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert ended == ["closed", "collected"]


@pytest.mark.usefixtures("only_what_is_new_is_collected")
def test_what_is_collected_while_a_lock_is_held_may_take_it_at_its_end() -> None:
    """Collected in the midst of a critical section, an operator would wait for its own thread for ever."""

    class Operator:
        pass

    lock, is_ended, operator = threading.Lock(), threading.Event(), Operator()

    def end() -> None:
        with lock:
            is_ended.set()

    def fail() -> None:
        raise OSError("what failed before it")

    ended_with(operator, end)
    failing = Operator()
    ended_with(failing, fail)
    with lock:
        del failing, operator
        gc.collect()
        assert not is_ended.wait(0.05)
    assert is_ended.wait(10)
