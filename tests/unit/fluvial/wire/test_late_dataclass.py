"""Frozen dataclasses that are completed when they are first used: what they are, and that they wait."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import os
import pickle
import signal
import threading
import typing  # noqa: F401 - an annotation names it
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from fluvial.wire import late_dataclass
from fluvial.wire.quick_init import quick_init


def _declared() -> type[Any]:
    class Reading:
        """A reading."""

        sensor: str
        """Whose."""
        value: float
        unit: str = "K"
        tags: tuple[str, ...] = ()

        UNITS: ClassVar[tuple[str, ...]] = ("K", "C")

        def doubled(self) -> float:
            return 2 * self.value

    return Reading


def _late() -> Any:
    return late_dataclass.dataclass(frozen=True, slots=True, kw_only=True)(_declared())


def _at_once() -> Any:
    return quick_init(dataclasses.dataclass(frozen=True, slots=True, kw_only=True)(_declared()))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    a: int


_Pickled: Any = type("_Pickled", (), {"__annotations__": {"a": "int", "b": "int"}, "__module__": __name__, "b": 2})
_Pickled = late_dataclass.dataclass(frozen=True, slots=True, kw_only=True)(_Pickled)


USES: dict[str, Callable[[Any], object]] = {
    "signature": lambda kind: inspect.signature(kind),
    "fields": lambda kind: [(one.name, one.default, one.type, one.kw_only) for one in dataclasses.fields(kind)],
    "made": lambda kind: kind(sensor="a", value=1.0).doubled(),
    "print": lambda kind: repr(kind(sensor="a", value=1.0)).rpartition(".")[2],
    "equal": lambda kind: kind(sensor="a", value=1.0) == kind(sensor="a", value=1.0, unit="K"),
    "other": lambda kind: kind(sensor="a", value=1.0) != kind(sensor="a", value=2.0),
    "stranger": lambda kind: kind(sensor="a", value=1.0) == _Named(a=1),
    "hash": lambda kind: hash(kind(sensor="a", value=1.0)),
    "dict": lambda kind: dataclasses.asdict(kind(sensor="a", value=1.0)),
    "replace": lambda kind: dataclasses.replace(kind(sensor="a", value=1.0), unit="C").unit,
    "copy": lambda kind: copy.deepcopy(kind(sensor="a", value=1.0)).sensor,
    "match": lambda kind: kind.__match_args__,
    "slots": lambda kind: (kind.__slots__, hasattr(kind(sensor="a", value=1.0), "__dict__")),
    "names": lambda kind: (kind.__name__, kind.__qualname__.rpartition(".")[2], kind.__module__, kind.__doc__),
    "constant": lambda kind: (kind.UNITS, kind(sensor="a", value=1.0).UNITS),
    "is": lambda kind: dataclasses.is_dataclass(kind),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_each_first_use_finds_the_dataclass_that_it_would_have_been(use: Callable[[Any], object]) -> None:
    assert use(_late()) == use(_at_once())


WRONG_USES: dict[str, Callable[[Any], object]] = {
    "no value": lambda kind: kind(sensor="a"),
    "by place": lambda kind: kind("a", 1.0),
    "unknown": lambda kind: kind(sensor="a", value=1.0, colour="red"),
    "set": lambda kind: setattr(kind(sensor="a", value=1.0), "value", 2.0),
    "delete": lambda kind: delattr(kind(sensor="a", value=1.0), "value"),
}


@pytest.mark.parametrize("use", WRONG_USES.values(), ids=WRONG_USES)
def test_what_a_frozen_dataclass_refuses_is_refused_in_the_same_words(use: Callable[[Any], object]) -> None:
    with pytest.raises((TypeError, AttributeError)) as expected:
        use(_at_once())
    with pytest.raises(expected.type) as found:
        use(_late())
    assert str(found.value) == str(expected.value)


def test_nothing_is_compiled_before_the_first_use() -> None:
    late = _late()
    assert not inspect.isfunction(vars(late)["__init__"])
    late(sensor="a", value=1.0)
    assert all(inspect.isfunction(vars(late)[name]) for name in ("__init__", "__eq__", "__hash__", "__repr__"))


def test_threads_that_use_it_first_at_the_same_time_find_one_class() -> None:
    late, made = _late(), []
    start = threading.Barrier(8)

    def use() -> None:
        start.wait()
        made.append(late(sensor="a", value=1.0))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [late(sensor="a", value=1.0)] * 8


def test_it_is_pickled_by_its_name_and_values() -> None:
    made = _Pickled(a=1)
    assert pickle.loads(pickle.dumps(made)) == made
    assert made.__getstate__() == [1, 2]


def test_a_subclass_with_the_same_slots_is_a_frozen_value_of_its_own_class() -> None:
    late = _late()
    same: Any = type("Same", (late,), {"__slots__": ()})
    made = same(sensor="a", value=1.0)
    assert type(made) is same
    assert made != late(sensor="a", value=1.0)
    assert made.__getstate__() == ["a", 1.0, "K", ()]
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.value = 2.0


def test_a_class_with_bases_and_one_whose_annotations_hide_a_class_variable_are_refused() -> None:
    decorate = late_dataclass.dataclass(frozen=True, slots=True, kw_only=True)
    with pytest.raises(TypeError, match="has bases"):
        decorate(type("Heir", (_Named,), {"__annotations__": {"b": "int"}}))
    annotations = {"a": "int", "B": "typing.ClassVar[int]"}
    hidden = decorate(type("Hidden", (), {"__annotations__": annotations, "__module__": __name__}))
    with pytest.raises(TypeError, match="not what its annotations tell"):
        hidden(a=1)


def test_one_that_was_interrupted_while_it_was_completed_is_completed_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late = _late()

    def interrupted(_: type[Any]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(late_dataclass, "quick_init", interrupted)
        with pytest.raises(KeyboardInterrupt):
            late(sensor="a", value=1.0)
    assert late(sensor="a", value=1.0) == late(sensor="a", value=1.0)


def test_a_forked_process_waits_for_no_thread_of_the_first() -> None:
    late, is_held, over = _late(), threading.Event(), threading.Event()

    def hold() -> None:
        with late_dataclass._completing:
            is_held.set()
            over.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait()
    try:
        child = os.fork()
        if not child:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(20)
            try:
                late(sensor="a", value=1.0)
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
    finally:
        over.set()
        holder.join()
