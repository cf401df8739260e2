"""Frozen records that are quickly made.

A frozen dataclass sets each of its fields by `object.__setattr__`, which looks the field up by its name: 3.4 µs for a
Verdict, of which the gate makes several for each record. Here each field's slot is written by the descriptor that it
has in the class: 1.8 µs. With many fields, the new object is for so long one of a class with the same slots that is not
frozen, whose fields the interpreter writes without a call: 1.0 µs. What the class is, and that nothing of it can be
changed, stays as it was.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, TypeVar

T = TypeVar("T")

_MANY = 6
"""Fields from which on changing the class twice is worth it."""


def quick_init(cls: type[T]) -> type[T]:
    """The dataclass with an `__init__` of the same parameters that writes its slots directly. Raises TypeError for one
    that has no slots, makes defaults by a factory, or does more when it is made."""
    members = fields(cls)  # type: ignore[arg-type]  # a dataclass
    if "__slots__" not in vars(cls) or hasattr(cls, "__post_init__"):
        raise TypeError(f"{cls.__name__} is not merely slots that are filled")
    names: dict[str, Any] = {}
    parameters, body = ["self"], []
    many = len(members) >= _MANY
    if many:
        names["_set_class"] = object.__setattr__
        names["_filled"] = type(f"_{cls.__name__}", (), {"__slots__": [member.name for member in members]})
        body.append("    _class = self.__class__\n    _set_class(self, '__class__', _filled)\n")
    for member in members:
        if member.default_factory is not MISSING or not member.init:
            raise TypeError(f"{cls.__name__}.{member.name} is not filled by a parameter alone")
        if member.kw_only and "*" not in parameters:
            parameters.append("*")
        default = ""
        if member.default is not MISSING:
            names[f"_default_{member.name}"] = member.default
            default = f"=_default_{member.name}"
        parameters.append(f"{member.name}{default}")
        if many:
            body.append(f"    self.{member.name} = {member.name}\n")
        else:
            names[f"_set_{member.name}"] = getattr(cls, member.name).__set__
            body.append(f"    _set_{member.name}(self, {member.name})\n")
    if many:
        body.append("    self.__class__ = _class\n")
    exec(f"def __init__({', '.join(parameters)}):\n{''.join(body)}", names)
    init = names["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__module__ = cls.__module__
    init.__annotations__ = {member.name: member.type for member in members} | {"return": None}
    cls.__init__ = init  # type: ignore[method-assign]  # it replaces the one that the dataclass has
    return cls
