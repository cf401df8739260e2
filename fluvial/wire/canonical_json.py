"""JSON that has one form for one value (RFC 8785, JSON Canonicalization Scheme).

Keys in the order of their UTF-16 code units, no white space, strings with the shortest escapes, numbers as ECMAScript
writes them. So documents in any language have the same SHA-256.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

_LARGEST_WHOLE = (1 << 53) - 1
_PLAIN_DIGITS = 21
_LEADING_ZEROS = 6


def canonical_json(value: Any) -> str:
    """The value's one form. Raises ValueError for what JSON or ECMAScript's numbers cannot hold: integers beyond
    2**53 - 1, NaN, infinity, lone surrogates, keys that are no strings, other types."""
    match value:
        case None | bool():
            return json.dumps(value)
        case int():
            if abs(value) > _LARGEST_WHOLE:
                raise ValueError(f"{value} is beyond 2**53 - 1")
            return str(int(value))
        case float():
            return _number(value)
        case str():
            return _string(value)
        case list() | tuple():
            return "[" + ",".join(canonical_json(item) for item in value) + "]"
        case dict():
            if not all(isinstance(key, str) for key in value):
                raise ValueError("keys must be strings")
            keys = sorted(value, key=_code_units)
            return "{" + ",".join(f"{_string(key)}:{canonical_json(value[key])}" for key in keys) + "}"
    raise ValueError(f"{type(value).__name__} is no JSON")


def _string(text: str) -> str:
    _code_units(text)
    return json.dumps(text, ensure_ascii=False)


def _code_units(text: str) -> bytes:
    """UTF-16, big-endian. Raises ValueError for lone surrogates."""
    return text.encode("utf-16-be")


def _number(value: float) -> str:
    """Number::toString of ECMA-262: the fewest digits that give the double again, whole up to 10**21."""
    if not isfinite(value):
        raise ValueError(f"{value} is no number of JSON")
    if value == 0.0:
        return "0"
    sign = "-" if value < 0.0 else ""
    significand, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = significand.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    return sign + _placed(digits, point)


def _placed(digits: str, point: int) -> str:
    """Digits with the decimal point before digit number `point`, counted from 0."""
    count = len(digits)
    if count <= point <= _PLAIN_DIGITS:
        return digits + "0" * (point - count)
    if 0 < point <= _PLAIN_DIGITS:
        return f"{digits[:point]}.{digits[point:]}"
    if -_LEADING_ZEROS < point <= 0:
        return "0." + "0" * -point + digits
    exponent = f"e{point - 1:+d}"
    return digits + exponent if count == 1 else f"{digits[0]}.{digits[1:]}{exponent}"
