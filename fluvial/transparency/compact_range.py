"""Compact range: the least that must be kept of a Merkle tree to append to it and to know its root: at most 64 hashes.

Source: transparency-dev/merkle, docs/compact_ranges.md. A value: appending returns a new range and leaves the old one
alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from fluvial.transparency.merkle import EMPTY_ROOT, HASH_BYTES, node_hash
from fluvial.wire.quick_init import quick_init

_SIZE_BYTES = 8
_VERSION = b"\x01"


@quick_init
@dataclass(frozen=True, slots=True)
class CompactRange:
    """The first `size` leaves of a log.

    hashes: roots of the complete subtrees that make it up, the largest (leftmost) first; as many as `size` has one
    bits.
    """

    size: int
    hashes: tuple[bytes, ...]

    @classmethod
    def empty(cls) -> Self:
        """The range without leaves."""
        return cls(0, ())

    def append(self, leaf_hash: bytes) -> "CompactRange":
        """The range with one leaf more. Raises ValueError unless the hash has 32 bytes."""
        if len(leaf_hash) != HASH_BYTES:
            raise ValueError(f"a leaf hash has {HASH_BYTES} bytes, not {len(leaf_hash)}")
        hashes, value, size = self.hashes, leaf_hash, self.size
        kept = len(hashes)
        while size & 1:  # two complete subtrees of the same size become one
            kept -= 1
            value = node_hash(hashes[kept], value)
            size >>= 1
        return CompactRange(self.size + 1, (*hashes[:kept], value))

    def extend(self, leaf_hashes: Sequence[bytes]) -> "CompactRange":
        """The range with many leaves more: as `append` for each, level by level. Raises ValueError unless all hashes
        have 32 bytes."""
        if not {*map(len, leaf_hashes)} <= {HASH_BYTES}:
            raise ValueError(f"a leaf hash has {HASH_BYTES} bytes")
        kept, nodes, smallest_first = list(self.hashes), list(leaf_hashes), []
        size = self.size
        while size or nodes:
            if size & 1:
                nodes.insert(0, kept.pop())
            if len(nodes) & 1:
                smallest_first.append(nodes.pop())
            pairs = iter(nodes)
            nodes = list(map(node_hash, pairs, pairs))
            size >>= 1
        return CompactRange(self.size + len(leaf_hashes), tuple(reversed(smallest_first)))

    def root(self) -> bytes:
        """Root of the tree, 32 bytes."""
        if not self.hashes:
            return EMPTY_ROOT
        value = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            value = node_hash(left, value)
        return value

    def dump(self) -> bytes:
        """Bytes to store: version, size (8 bytes big-endian), hashes."""
        return _VERSION + self.size.to_bytes(_SIZE_BYTES) + b"".join(self.hashes)

    @classmethod
    def load(cls, data: bytes) -> Self:
        """Read what `dump` wrote. Raises ValueError for anything else."""
        header = len(_VERSION) + _SIZE_BYTES
        if len(data) < header or not data.startswith(_VERSION):
            raise ValueError("not a stored compact range of version 1")
        size = int.from_bytes(data[len(_VERSION) : header])
        if len(data) - header != size.bit_count() * HASH_BYTES:
            raise ValueError(f"a compact range of {size} leaves has {size.bit_count()} hashes")
        return cls(size, tuple(data[at : at + HASH_BYTES] for at in range(header, len(data), HASH_BYTES)))
