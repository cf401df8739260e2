"""From {"name": ..., parameters} to the dataclass of that name: rules and server optimizers are written so.

Types are those that the dataclass declares. Nothing is converted but whole numbers to floats, and nothing that JSON
can hold but a model cannot use (NaN, infinity, true for 1) gets in.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from math import isfinite
from typing import Any, TypeVar, get_type_hints

_Built = TypeVar("_Built")


def read_object(text: str | Mapping[str, Any], what: str) -> dict[str, Any]:
    """The JSON object in a text, or the mapping itself. Raises ValueError that says what it should have been."""
    try:
        return dict(json.loads(text) if isinstance(text, str) else text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{what} is not a JSON object: {text!r}") from error


def construct(
    what: str,
    kinds: Mapping[str, type[_Built]],
    given: Mapping[str, Any],
    nested: Mapping[Any, Callable[[Mapping[str, Any]], Any]] | None = None,
) -> _Built:
    """The dataclass that `given` names, with its parameters.

    nested: for a declared type what makes it of an object. Raises ValueError for an unknown name, for parameters that
    are unknown, missing or of another type, and for what the dataclass refuses.
    """
    name = given.get("name")
    if not isinstance(name, str) or name not in kinds:
        raise ValueError(f"unknown {what} {name!r}; known: {', '.join(sorted(kinds))}")
    kind = kinds[name]
    declared = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]  # all of them are dataclasses
    values = {key: value for key, value in given.items() if key != "name"}
    if unknown := sorted(values.keys() - declared.keys()):
        known = ", ".join(sorted(declared)) or "none"
        raise ValueError(f"the {what} {name} has no parameter {', '.join(unknown)}; it has {known}")
    required = {key for key, field in declared.items() if field.default is MISSING}
    if missing := sorted(required - values.keys()):
        raise ValueError(f"the {what} {name} needs the parameter {', '.join(missing)}")
    types = get_type_hints(kind)
    return kind(
        **{key: _value(f"{key} of the {what} {name}", types[key], value, nested) for key, value in values.items()}
    )


def _value(where: str, kind: Any, value: Any, nested: Mapping[Any, Callable[[Mapping[str, Any]], Any]] | None) -> Any:
    if nested and kind in nested and isinstance(value, Mapping):
        return nested[kind](value)
    if kind is float and type(value) in (int, float) and _fits_float(value):
        return float(value)
    if kind is str and type(value) is str:
        return value
    if kind in (int, int | None) and (type(value) is int or (value is None and kind is not int)):
        return value
    expected = {int: "an integer", float: "a finite number", str: "a text", int | None: "an integer"}
    raise ValueError(f"parameter {where} must be {expected.get(kind, 'an object with a name')}, got {value!r}")


def _fits_float(value: int | float) -> bool:
    try:
        return isfinite(value)
    except OverflowError:
        return False
