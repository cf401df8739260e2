"""The slow, literal twin of the framing: Avro 1.12's binary encoding, canonical form and CRC-64-AVRO, word for word."""

from __future__ import annotations

import json
import struct
from typing import Any

_CRC_EMPTY = 0xC15D213AA4D7A795


def long_(value: int) -> bytes:
    """Zig-zag, then seven bits a byte, low bits first."""
    number = value * 2 if value >= 0 else -value * 2 - 1
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def write(schema: Any, value: Any) -> bytes:
    """Binary encoding of a value, arrays as one block."""
    if isinstance(schema, list):
        return long_(0) if value is None else long_(1) + write(schema[1], value)
    kind = schema if isinstance(schema, str) else schema["type"]
    match kind:
        case "string":
            return long_(len(value.encode())) + value.encode()
        case "bytes":
            return long_(len(value)) + value
        case "int" | "long":
            return long_(value)
        case "double":
            return struct.pack("<d", value)
        case "boolean":
            return bytes([value])
        case "enum":
            return long_(schema["symbols"].index(value))
        case "array":
            items = b"".join(write(schema["items"], item) for item in value)
            return (long_(len(value)) + items if value else b"") + long_(0)
        case "record":
            return b"".join(write(field["type"], value[field["name"]]) for field in schema["fields"])
    raise ValueError(kind)


_PRIMITIVES = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}


def canonical_form(schema: Any, namespace: str = "") -> str:
    """Parsing canonical form: full names, no documentation, attributes in the specification's order, no white space."""
    if isinstance(schema, str):
        return json.dumps(schema if schema in _PRIMITIVES else f"{namespace}.{schema}")
    if isinstance(schema, list):
        return "[" + ",".join(canonical_form(branch, namespace) for branch in schema) + "]"
    namespace = schema.get("namespace", namespace)
    parts = []
    if "name" in schema:
        parts.append(f'"name":"{namespace}.{schema["name"]}"')
    parts.append(f'"type":"{schema["type"]}"')
    if schema["type"] == "record":
        fields = (f'{{"name":"{f["name"]}","type":{canonical_form(f["type"], namespace)}}}' for f in schema["fields"])
        parts.append('"fields":[' + ",".join(fields) + "]")
    if schema["type"] == "enum":
        parts.append('"symbols":' + json.dumps(schema["symbols"], separators=(",", ":")))
    if schema["type"] == "array":
        parts.append('"items":' + canonical_form(schema["items"], namespace))
    return "{" + ",".join(parts) + "}"


def crc_64_avro(data: bytes) -> int:
    """The specification's fingerprint, bit by bit."""
    crc = _CRC_EMPTY
    for byte in data:
        low = (crc ^ byte) & 0xFF
        for _ in range(8):
            low = low >> 1 ^ (_CRC_EMPTY if low & 1 else 0)
        crc = crc >> 8 ^ low
    return crc
