"""A whole Merkle tree: the root of any of its sizes and the proofs between them. 64 bytes per leaf, in memory or where
its maker says.

Every level keeps the hashes of its complete subtrees, the only ones that never change as the log grows. The one who
appends for a living needs no tree but a `CompactRange`; this one is for auditors and for those who hand out proofs.
"""

from collections.abc import Callable
from typing import Protocol, Self

from fluvial.transparency.merkle import EMPTY_ROOT, HASH_BYTES, node_hash


class Level(Protocol):
    """What is used of a bytearray."""

    def __iadd__(self, data: bytes, /) -> Self: ...
    def __len__(self) -> int: ...
    def __getitem__(self, part: slice, /) -> bytes | bytearray: ...


class MerkleTree:
    """Append leaf hashes; ask for roots and proofs at any size up to the present one."""

    __slots__ = ("_levels", "_new_level")

    def __init__(self, new_level: Callable[[], Level] = bytearray) -> None:
        """new_level: a place for the hashes of one more level, one after the other; empty, or as a tree has left it."""
        self._new_level = new_level
        # _levels[h] holds, one after the other, the roots of the complete subtrees of 2**h leaves.
        self._levels: list[Level] = [new_level()]
        while len(self._levels[-1]) >= 2 * HASH_BYTES:
            self._levels.append(new_level())

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self._levels[0]) // HASH_BYTES

    def append(self, leaf_hash: bytes) -> None:
        """Add a leaf by its hash (32 bytes; ValueError otherwise)."""
        if len(leaf_hash) != HASH_BYTES:
            raise ValueError(f"a leaf hash has {HASH_BYTES} bytes, not {len(leaf_hash)}")
        completed, value = self.size, leaf_hash
        level = 0
        self._levels[0] += value
        while completed & 1:
            completed >>= 1
            value = node_hash(self._node(level, 2 * completed), value)
            level += 1
            if level == len(self._levels):
                self._levels.append(self._new_level())
            self._levels[level] += value

    def leaf_hash(self, index: int) -> bytes:
        """Hash of one leaf. Raises ValueError outside the tree."""
        if not 0 <= index < self.size:
            raise ValueError(f"leaf {index} is outside a tree of {self.size} leaves")
        return self._node(0, index)

    def root(self, size: int | None = None) -> bytes:
        """Root of the first `size` leaves (all by default). Raises ValueError for a size not reached yet."""
        size = self._checked(size)
        return self._range(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        """Hashes from leaf `index`'s sibling up to the root of `size` leaves. Raises ValueError."""
        size = self._checked(size)
        if not 0 <= index < size:
            raise ValueError(f"leaf {index} is outside a tree of {size} leaves")
        proof: list[bytes] = []
        start, end = 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                proof.append(self._range(middle, end))
                end = middle
            else:
                proof.append(self._range(start, middle))
                start = middle
        return tuple(reversed(proof))

    def consistency_proof(self, old_size: int, size: int | None = None) -> tuple[bytes, ...]:
        """Hashes that show the first `old_size` leaves to be a prefix of the first `size`. Raises ValueError for an
        empty old tree.
        """
        size = self._checked(size)
        if not 0 < old_size <= size:
            raise ValueError(f"no consistency proof from {old_size} to {size} leaves")
        proof: list[bytes] = []
        start, end = 0, size
        while end != old_size:
            middle = start + _split(end - start)
            if old_size <= middle:
                proof.append(self._range(middle, end))
                end = middle
            else:
                proof.append(self._range(start, middle))
                start = middle
        if start:  # else the old root is itself a node of the new tree, and known to the verifier
            proof.append(self._range(start, end))
        return tuple(reversed(proof))

    def _checked(self, size: int | None) -> int:
        if size is None:
            return self.size
        if not 0 <= size <= self.size:
            raise ValueError(f"size {size} is outside 0..{self.size}")
        return size

    def _node(self, level: int, index: int) -> bytes:
        return bytes(self._levels[level][index * HASH_BYTES : (index + 1) * HASH_BYTES])

    def _range(self, start: int, end: int) -> bytes:
        """Root of leaves start..end, a subtree of the RFC's splitting, from the complete subtrees that make it up."""
        width = end - start
        if width & (width - 1) == 0:
            level = width.bit_length() - 1
            return self._node(level, start >> level)
        middle = start + _split(width)
        return node_hash(self._range(start, middle), self._range(middle, end))


def _split(width: int) -> int:
    """Largest power of two smaller than the width (at least 2)."""
    return 1 << ((width - 1).bit_length() - 1)
