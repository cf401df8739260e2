"""What a schema of the contract may contain. Each rule closes a hole that Avro decoders have.

Recursion overflows the C stack; items of size zero make gigabytes out of a few bytes; a map may hold a key twice; a
union of two like types re-encodes to the first; logical types lose padding or raise.
"""

from __future__ import annotations

from typing import Any

_SCALARS = {"string", "bytes", "int", "long", "double", "boolean"}


def check_schema(schema: Any, inside: tuple[str, ...] = (), defined: dict[str, Any] | None = None) -> None:
    """Raises ValueError for recursion, maps, items of size zero, unions other than ["null", X] and logical types.

    A name may be used again once its type stands complete: then it cannot refer to itself. inside: enclosing records.
    defined: the types that are complete so far, by name.
    """
    where = ".".join(inside) or "schema"
    defined = {} if defined is None else defined
    if isinstance(schema, str):
        if schema not in _SCALARS and schema not in defined:
            raise ValueError(f"{where}: type {schema!r} is not allowed (a name refers to itself, or has no size)")
        return
    if isinstance(schema, list):
        if len(schema) != 2 or schema[0] != "null" or isinstance(schema[1], list):
            raise ValueError(f'{where}: a union must be ["null", X]')
        check_schema(schema[1], inside, defined)
        return
    if "logicalType" in schema:
        raise ValueError(f"{where}: logical types are not allowed")
    match schema["type"]:
        case "record":
            if schema["name"] in inside:
                raise ValueError(f"{where}: recursive")
            if not schema["fields"]:
                raise ValueError(f"{where}: a record without fields has size zero")
            for field in schema["fields"]:
                check_schema(field["type"], (*inside, schema["name"]), defined)
                if "default" in field:
                    _check_default(field, defined, (*inside, schema["name"]))
            defined[schema["name"]] = schema
        case "enum":
            if not schema["symbols"]:
                raise ValueError(f"{where}: an enum without symbols")
            if schema.get("default", schema["symbols"][0]) not in schema["symbols"]:
                raise ValueError(f"{where}: the default of {schema['name']} is none of its symbols")
            defined[schema["name"]] = schema
        case "array":
            check_schema(schema["items"], inside, defined)
        case other:
            raise ValueError(f"{where}: type {other!r} is not allowed")


_DEFAULTS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "int": (int,),
    "long": (int,),
    "double": (float, int),
    "boolean": (bool,),
}


def _check_default(field: dict[str, Any], defined: dict[str, Any], inside: tuple[str, ...]) -> None:
    """Defaults are null of a union, nothing of an array or of bytes, a symbol, or a value of the type."""
    kind, default = field["type"], field["default"]
    if isinstance(kind, str):
        kind = defined.get(kind, kind)
    if isinstance(kind, list):
        fits = default is None
    elif kind == "bytes" or (isinstance(kind, dict) and kind["type"] == "array"):
        fits = default == ("" if kind == "bytes" else [])
    elif isinstance(kind, dict):
        fits = kind["type"] == "enum" and default in kind["symbols"]
    else:
        fits = type(default) in _DEFAULTS.get(kind, ())
    if not fits:
        raise ValueError(f"{'.'.join(inside)}.{field['name']}: {default!r} is no default of its type that is allowed")
