"""The Merkle root of a minute's answers, which the audit log holds: whoever has the records can tell that none was
added, changed or left out."""

from __future__ import annotations

from collections.abc import Iterable

from fluvial.transparency.compact_range import CompactRange
from fluvial.transparency.merkle import leaf_hash


def answers_root(leaves: Iterable[bytes]) -> bytes:
    """Root (RFC 6962) of leaf hashes, 32 bytes. They are put in ascending order: records of one minute lie in several
    partitions, and have no other order that all readers would find."""
    tree = CompactRange.empty()
    for leaf in sorted(leaves):
        tree = tree.append(leaf)
    return tree.root()


def leaf_of(record: bytes) -> bytes:
    """Leaf hash of a record of topic results, as it lies in the log with its signature."""
    return leaf_hash(record)
