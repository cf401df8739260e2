"""Merkle tree hashes of RFC 6962, section 2.1, and the checks of RFC 9162, sections 2.1.3.2 and 2.1.4.2.

The checks are stricter than the RFC's pseudo-code, which taken literally accepts bad proofs: every hash is 32 bytes
long, an index lies within the tree, nothing is consistent with an empty tree, equal sizes need equal roots and an empty
proof, unequal sizes a non-empty one.

Building proofs is the tree's business (`tree.py`); this module trusts no tree.
"""

from collections.abc import Sequence
from hashlib import sha256

from fluvial.wire.errors import VerificationError

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """Hash of a leaf, 32 bytes."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node, 32 bytes, from those of its two children."""
    return sha256(b"\x01" + left + right).digest()


def root_of_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """Root of a tree of `size` leaves whose leaf `index` has the hash `leaf`, by the proof's hashes from the leaf's
    sibling up.

    Raises VerificationError if no such tree has a proof of this form.
    """
    if not 0 <= index < size:
        raise VerificationError(f"leaf {index} is outside a tree of {size} leaves")
    _require_hashes(leaf, *proof)
    position, last = index, size - 1
    root = leaf
    for sibling in proof:
        if last == 0:
            raise VerificationError("inclusion proof is too long")
        if position & 1 or position == last:
            root = node_hash(sibling, root)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            root = node_hash(root, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise VerificationError("inclusion proof is too short")
    return root


def verify_inclusion(index: int, size: int, leaf: bytes, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of `size` leaves with this root holds the leaf hash at `index`. Raises VerificationError."""
    _require_hashes(root)
    if root_of_inclusion(index, size, leaf, proof) != root:
        raise VerificationError(f"inclusion proof of leaf {index} does not lead to the root of size {size}")


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of `old_size` leaves is a prefix of the one of `new_size`. Raises VerificationError."""
    _require_hashes(old_root, new_root, *proof)
    if not 0 < old_size <= new_size:
        raise VerificationError(f"no tree of {new_size} leaves can be shown consistent with one of {old_size}")
    if old_size == new_size:
        if proof or old_root != new_root:
            raise VerificationError(f"two trees of {new_size} leaves differ, or their consistency proof is not empty")
        return
    if not proof:
        raise VerificationError(f"consistency proof from {old_size} to {new_size} leaves is empty")
    # Step 2: a complete old tree is itself the first node, which the proof then leaves out.
    hashes = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise VerificationError("consistency proof is too long")
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            new = node_hash(new, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise VerificationError("consistency proof is too short")
    if old != old_root or new != new_root:
        raise VerificationError(f"tree of {new_size} leaves does not continue the tree of {old_size} leaves")


def _require_hashes(*hashes: bytes) -> None:
    if any(len(value) != HASH_BYTES for value in hashes):
        raise VerificationError(f"a hash is not {HASH_BYTES} bytes long")
