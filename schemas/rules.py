"""What a schema of the contract may contain. Each rule closes a hole that Avro decoders have.

Recursion overflows the C stack; items of size zero make gigabytes out of a few bytes; a map may hold a key twice; a
union of two like types re-encodes to the first; logical types lose padding or raise.
"""

from __future__ import annotations

from typing import Any

_SCALARS = {"string", "bytes", "int", "long", "double", "boolean"}


def check_schema(schema: Any, inside: tuple[str, ...] = (), defined: set[str] | None = None) -> None:
    """Raises ValueError for recursion, maps, items of size zero, unions other than ["null", X] and logical types.

    A name may be used again once its type stands complete: then it cannot refer to itself. inside: enclosing records.
    defined: names of the types that are complete so far.
    """
    where = ".".join(inside) or "schema"
    defined = set() if defined is None else defined
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
            defined.add(schema["name"])
        case "enum":
            if not schema["symbols"]:
                raise ValueError(f"{where}: an enum without symbols")
            defined.add(schema["name"])
        case "array":
            check_schema(schema["items"], inside, defined)
        case other:
            raise ValueError(f"{where}: type {other!r} is not allowed")
