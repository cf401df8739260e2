"""Frozen dataclasses from JSON objects and back, for the few files that every command reads: to import pydantic takes
longer than such a command works. Files that people write more into are sections of `fluvial.wire.plain_values`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def read_fields(kind: type[T], text: str, whole: str) -> T:
    """The dataclass that a JSON object holds, of texts, whole numbers, paths, choices and other dataclasses. whole:
    what to call the document. Raises ValueError that names each field that is wrong, missing or not known."""
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{whole}: no JSON: {error}") from error
    return _object(kind, document, whole, "")


def document_of(value: Any) -> dict[str, Any]:
    """What `read_fields` reads, without fields that are None."""
    found = {member.name: getattr(value, member.name) for member in fields(value)}
    return {name: _plain(one) for name, one in found.items() if one is not None}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two keys of a name in a file, a person sees one and a program takes the other."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands twice")
    return found


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return document_of(value)
    return str(value) if isinstance(value, Path) else value


def _object(kind: type[T], document: Any, whole: str, within: str) -> T:
    if not isinstance(document, Mapping):
        raise ValueError(f"{within.rstrip('.') or whole}: must be an object, not {_shown(document)}")
    types, known = get_type_hints(kind), {member.name: member for member in fields(kind)}  # type: ignore[arg-type]
    wrong = [f"{within}{name}: there is no such field here" for name in document if name not in known]
    needed = [name for name, each in known.items() if each.default is MISSING and each.default_factory is MISSING]
    wrong += [f"{within}{name}: is missing" for name in needed if name not in document]
    found = {}
    for name in known.keys() & document.keys():
        try:
            found[name] = _value(types[name], document[name], whole, f"{within}{name}")
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise ValueError("; ".join(sorted(wrong)))
    return kind(**found)


def _value(kind: Any, value: Any, whole: str, name: str) -> Any:
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    if value is None and NoneType in kinds:
        return None
    (one,) = (each for each in kinds if each is not NoneType)
    if is_dataclass(one):
        return _object(one, value, whole, f"{name}.")  # type: ignore[arg-type]
    if get_origin(one) is Literal:
        if value not in get_args(one):
            raise ValueError(f"{name}: must be one of {', '.join(get_args(one))}, not {_shown(value)}")
        return value
    if one is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if one in (str, Path) and isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{name}: is no text of Unicode: {error.reason}") from error
        return one(value)
    raise ValueError(f"{name}: must be a {'whole number' if one is int else 'text'}, not {_shown(value)}")


def _shown(value: Any) -> str:
    return f"{value!r:.80}" if isinstance(value, (str, int, float, NoneType)) else type(value).__name__
