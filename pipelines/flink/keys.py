"""Keys that Flink sends to a wanted subtask.

Shards are few and each is heavy, so leaving them to the hash would often put two on one subtask and none on another.
Flink's assignment is a pure function of the key: murmur hash of the Java hash code, to a key group, to a subtask
(flink-runtime `KeyGroupRangeAssignment`, flink-core `MathUtils.murmurHash`). PyFlink wraps the key in a Row of one
field, whose hash code is 62 more than the string's.
"""

from __future__ import annotations

import itertools

_MASK = 0xFFFFFFFF
_ROW_HASH = 62


def shard_keys(num_shards: int, parallelism: int, max_parallelism: int) -> list[str]:
    """For each shard a key; shard s goes to subtask s mod parallelism."""
    keys = []
    for shard in range(num_shards):
        wanted = shard % parallelism
        candidates = (f"shard-{shard}-{salt}" for salt in itertools.count())
        keys.append(next(key for key in candidates if subtask_of(key, parallelism, max_parallelism) == wanted))
    return keys


def shard_of(key: str) -> int:
    """The shard that a key of `shard_keys` stands for, whatever the parallelism it was chosen for."""
    return int(key.split("-")[1])


def subtask_of(key: str, parallelism: int, max_parallelism: int) -> int:
    """Index of the subtask that a keyed PyFlink operator gets this string key on."""
    group = _murmur(_java_hash(key) + _ROW_HASH) % max_parallelism
    return group * parallelism // max_parallelism


def _java_hash(text: str) -> int:
    units = text.encode("utf-16-be")
    value = 0
    for high, low in zip(units[::2], units[1::2], strict=True):
        value = (31 * value + (high << 8 | low)) & _MASK
    return value


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (32 - bits)) & _MASK


def _murmur(code: int) -> int:
    code = _rotate(((code & _MASK) * 0xCC9E2D51) & _MASK, 15) * 0x1B873593 & _MASK
    code = (_rotate(code, 13) * 5 + 0xE6546B64) & _MASK
    code ^= 4
    code = ((code ^ code >> 16) * 0x85EBCA6B) & _MASK
    code = ((code ^ code >> 13) * 0xC2B2AE35) & _MASK
    code ^= code >> 16
    return code if code < 1 << 31 else (1 << 32) - code if code != 1 << 31 else 0
