"""Messages between the operators of one job: a few byte strings, packed.

They never leave the job, but they lie in checkpoints, so the first byte is the version of the packing. The first part
is the key that the next operator is keyed by; the second names the kind.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

_VERSION = 1
_HEAD = struct.Struct(">BI")
_LENGTH = struct.Struct(">I")


def pack(key: str, kind: str, parts: Sequence[bytes] = ()) -> bytes:
    """The message as bytes; any number of parts of any length below 4 GiB."""
    all_parts = (key.encode(), kind.encode(), *parts)
    out = [_HEAD.pack(_VERSION, len(all_parts))]
    for part in all_parts:
        out.append(_LENGTH.pack(len(part)))
        out.append(part)
    return b"".join(out)


def unpack(message: bytes) -> tuple[str, str, list[bytes]]:
    """Key, kind and parts. Raises ValueError for another packing version."""
    version, count = _HEAD.unpack_from(message)
    if version != _VERSION:
        raise ValueError(f"message of packing version {version}; this job reads version {_VERSION}")
    at, parts = _HEAD.size, []
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(message, at)
        at += _LENGTH.size
        parts.append(message[at : at + length])
        at += length
    return parts[0].decode(), parts[1].decode(), parts[2:]
