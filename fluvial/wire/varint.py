"""Avro's numbers, for the generated codecs: zigzag variable-length integers of 64 bits (Avro 1.12, "Primitive Types").

Reading is narrower than Avro: what is not the shortest form of a number is `Unusual`, and whoever reads asks a complete
decoder what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from operator import index

_TABLE = 1 << 13

_TIME_BYTES = 5
_MOST_TIMES = 4096
_TIMES: dict[bytes, int] = {}
"""The last five of the six bytes that a time in milliseconds has, and what they stand for: of times that lie near one
another these differ each 64 ms alone. None of it is the beginning of another number."""


class Unusual(Exception):
    """Not for the fast decoder: malformed, not canonical, or merely rare."""


_LAST = [bytes((group,)) for group in range(1 << 7)]
_MORE = [bytes((group | 0x80,)) for group in range(1 << 7)]
"""Seven bits, and seven behind which others follow."""

_TWO_MORE_FOLLOW = tuple([low + high for high in _MORE for low in _MORE])
"""14 bits of a zigzag form that goes on."""

_ENDS = (*_LAST, *[low + high for high in _LAST[1:] for low in _MORE])
"""The last bits of a zigzag form, up to 14."""

SMALL = _ENDS[::2]
"""What `long_bytes` and `int_bytes` give for the first `NUM_SMALL` numbers."""
NUM_SMALL = len(SMALL)

_CACHED = 4096
"""Large numbers: times and offsets, which come several times each, in a verdict, its event and its update."""


@lru_cache(_CACHED)
def _groups(unsigned: int) -> bytes:
    out = b""
    while unsigned >= 2 * _TABLE:
        out += _TWO_MORE_FOLLOW[unsigned & (2 * _TABLE - 1)]
        unsigned >>= 14
    return out + _ENDS[unsigned]


def long_bytes(number: int) -> bytes:
    """A long's bytes. Raises ValueError beyond 64 bits, TypeError for what is no integer."""
    if 0 <= number < _TABLE:
        return SMALL[number]
    whole = index(number)
    if not -(1 << 63) <= whole < 1 << 63:
        raise ValueError(f"{whole} is not a 64-bit number")
    return _groups((whole << 1) ^ (whole >> 63))


def consecutive_bytes(first: int, count: int) -> Iterator[bytes]:
    """`long_bytes` of `count` numbers from `first` on, which is not negative."""
    while count > 0:
        place = first % _TABLE
        most = min(count, _TABLE - place)
        if first < _TABLE:
            yield from SMALL[place : place + most]
        else:
            ends = _groups(first // _TABLE)
            for begins in _TWO_MORE_FOLLOW[2 * place : 2 * (place + most) : 2]:
                yield begins + ends
        first, count = first + most, count - most


def int_bytes(number: int) -> bytes:
    """An int's bytes. Raises ValueError beyond 32 bits, TypeError for what is no integer."""
    if not -(1 << 31) <= number < 1 << 31:
        raise ValueError(f"{number} is not a 32-bit number")
    return long_bytes(number)


def rest_of_zigzag(first: int, data: bytes, at: int) -> tuple[int, int]:
    """A number whose first byte, which says that more follow, was read: its zigzag form, and the place after it.

    Raises Unusual for a form that is not the shortest or has more than 64 bits, IndexError at the end of the data.
    """
    byte = data[at]
    if 0 < byte < 0x80:  # as most lengths and numbers are: two bytes
        return first & 0x7F | byte << 7, at + 1
    time = _TIMES.get(data[at : at + _TIME_BYTES])
    if time is not None:
        return first & 0x7F | time, at + _TIME_BYTES
    zigzag, shift = first & 0x7F, 7
    while True:
        byte = data[at]
        at += 1
        zigzag |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise Unusual
    if byte == 0 or zigzag >> 64:
        raise Unusual
    if shift == 7 * _TIME_BYTES:
        if len(_TIMES) == _MOST_TIMES:
            _TIMES.clear()
        _TIMES[data[at - _TIME_BYTES : at]] = zigzag & ~0x7F
    return zigzag, at
