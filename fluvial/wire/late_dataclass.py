"""Frozen dataclasses that are completed when they are first used.

`dataclass` compiles half a dozen functions for each class, which for the contract's 60 records took 50 ms of every
command's start, most of it for records that the command never meets. Here a class has its slots at once, and the rest
when somebody makes, compares, hashes or prints a record of it, or asks for its fields. What it is then does not differ
from `@quick_init @dataclass(frozen=True, slots=True, kw_only=True)`.
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable
from typing import Any, Literal

from fluvial.wire.quick_init import quick_init

_completing = threading.RLock()
_OWN = ("__dict__", "__weakref__")
_COMPLETED = ("__dataclass_fields__", "__eq__", "__hash__", "__repr__")


def dataclass(
    *, frozen: Literal[True], slots: Literal[True], kw_only: Literal[True]
) -> Callable[[type[Any]], type[Any]]:
    """Decorator of a class without bases whose annotations are texts, as they are after `from __future__ import
    annotations`. Raises TypeError for another one, at its first use at the latest."""
    return _late


def _late(declared: type[Any]) -> type[Any]:
    if declared.__bases__ != (object,):
        raise TypeError(f"{declared.__name__} has bases")
    body = dict(vars(declared))
    names = tuple(name for name, kind in body["__annotations__"].items() if not kind.startswith("ClassVar["))
    for name in (*_OWN, *names):
        body.pop(name, None)
    body |= {"__slots__": names, "__match_args__": (), "__getstate__": _getstate, "__setstate__": _setstate}
    body |= {name: _Late(name, declared) for name in (*_COMPLETED, "__init__")}
    made = type(declared.__name__, (), body)
    made.__qualname__ = declared.__qualname__

    def refuse_set(self: Any, name: str, value: Any) -> None:
        _check_free(made, self, name, "assign to")
        object.__setattr__(self, name, value)

    def refuse_delete(self: Any, name: str) -> None:
        _check_free(made, self, name, "delete")
        object.__delattr__(self, name)

    for name, refuse in (("__setattr__", refuse_set), ("__delattr__", refuse_delete)):
        setattr(made, name, refuse)
    return made


class _Late:
    """Stands in a class for one of its attributes until somebody asks for it."""

    def __init__(self, name: str, declared: type[Any]) -> None:
        self._name, self._declared = name, declared

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._owner = owner

    def __get__(self, instance: Any, owner: type[Any]) -> Any:
        with _completing:
            if vars(self._owner)[self._name] is self:
                _complete(self._owner, self._declared)
        return getattr(owner if instance is None else instance, self._name)


def _complete(made: type[Any], declared: type[Any]) -> None:
    # Of a copy, because Ctrl-C may come in between, and whoever cleans up then completes it anew. Not frozen: `made`
    # refuses by itself, and the decorator's refusal would know the copy alone.
    copy: type[Any] = type(
        declared.__name__, (), {name: one for name, one in vars(declared).items() if name not in _OWN}
    )
    dataclasses.dataclass(init=False, unsafe_hash=True, kw_only=True)(copy)
    members = tuple(member.name for member in dataclasses.fields(copy))
    if members != vars(made)["__slots__"]:
        raise TypeError(f"the fields of {made.__name__} are {members}, and not what its annotations tell")
    for name in _COMPLETED:
        setattr(made, name, vars(copy)[name])
    quick_init(made)


def _forget_others() -> None:
    """In a forked process nobody is left who would let the lock go."""
    global _completing
    _completing = threading.RLock()


os.register_at_fork(after_in_child=_forget_others)


def _check_free(made: type[Any], instance: Any, name: str, what: str) -> None:
    if type(instance) is made or name in vars(made)["__slots__"]:
        raise dataclasses.FrozenInstanceError(f"cannot {what} field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, member.name) for member in dataclasses.fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for member, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, member.name, value)
