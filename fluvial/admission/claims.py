"""What a large update claims, before it is decoded.

A chunk reference takes 36 bytes in the log: three numbers and a SHA-256 with its length. Of references without digests,
which no round takes, a megabyte holds a quarter of a million, and they would take half a second to become objects. So
their number is compared with the bytes that are there, which takes some microseconds; only for large updates, as
others cannot hold many.
"""

from __future__ import annotations

from fluvial.wire.framing import HEADER_BYTES

LARGE_BYTES = 64 << 10
_LEAST_REFERENCE_BYTES = 36
_FIELDS = "slisslblsb"
"""Before `scales`, in the order of the schema: s and b have a length and bytes, i and l are numbers."""
_DOUBLE_BYTES = 8


def claims_too_many_chunks(payload: bytes) -> bool:
    """Whether a ModelUpdate (Avro single-object encoding) names more chunks than it has bytes for. False for bytes that
    are none: the decoder says what they are."""
    if len(payload) < LARGE_BYTES:
        return False
    try:
        at = HEADER_BYTES
        for kind in _FIELDS:
            number, at = _number(payload, at)
            at += number if kind in "sb" else 0
        count, at = _number(payload, at)
        if count:
            at += count * _DOUBLE_BYTES + 1  # and the end of the list
        branch, at = _number(payload, at)
        if branch:
            number, at = _number(payload, at)
            at += number
        count, at = _number(payload, at)
    except IndexError:
        return False
    return abs(count) * _LEAST_REFERENCE_BYTES > max(0, len(payload) - at)


def _number(payload: bytes, at: int) -> tuple[int, int]:
    """A zigzag number of at most ten bytes, and the place after it. Raises IndexError at the end, and for a place that
    a negative length led to."""
    if at < 0:
        raise IndexError
    zigzag = 0
    for shift in range(0, 70, 7):
        byte = payload[at]
        at += 1
        zigzag |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    return (zigzag >> 1) ^ -(zigzag & 1), at
