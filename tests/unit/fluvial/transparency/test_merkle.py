"""Known hashes of RFC 6962, and bad proofs that the RFC's pseudo-code lets pass."""

import json
from pathlib import Path

import pytest

from fluvial.transparency.compact_range import CompactRange
from fluvial.transparency.merkle import EMPTY_ROOT, leaf_hash, node_hash, verify_consistency, verify_inclusion
from fluvial.transparency.tree import MerkleTree
from fluvial.wire.errors import VerificationError

GOLDEN = json.loads((Path(__file__).parents[3] / "golden" / "merkle_rfc6962.json").read_text())
LEAVES = [bytes.fromhex(leaf) for leaf in GOLDEN["leaves"]]
ROOTS = [bytes.fromhex(root) for root in GOLDEN["roots"]]


def tree_of(num_leaves: int) -> MerkleTree:
    tree = MerkleTree()
    for leaf in LEAVES[:num_leaves]:
        tree.append(leaf_hash(leaf))
    return tree


def test_leaf_and_node_hashes_are_separated() -> None:
    assert leaf_hash(b"L123456").hex() == GOLDEN["leaf_L123456"]
    assert node_hash(b"N123", b"N456").hex() == GOLDEN["node_N123_N456"]


@pytest.mark.parametrize("size", range(9))
def test_roots_of_tree_and_compact_range_are_the_known_ones(size: int) -> None:
    compact = CompactRange.empty()
    for leaf in LEAVES[:size]:
        compact = compact.append(leaf_hash(leaf))
    assert compact.root() == ROOTS[size]
    assert tree_of(size).root() == ROOTS[size]
    assert tree_of(8).root(size) == ROOTS[size]


def test_the_empty_tree_has_the_hash_of_nothing_and_proves_nothing() -> None:
    assert MerkleTree().root() == EMPTY_ROOT == ROOTS[0]
    with pytest.raises(VerificationError):
        verify_inclusion(0, 0, leaf_hash(b""), EMPTY_ROOT, ())
    with pytest.raises(VerificationError):
        verify_consistency(0, 8, EMPTY_ROOT, ROOTS[8], ())
    with pytest.raises(ValueError, match="no consistency proof"):
        tree_of(8).consistency_proof(0)


def test_equal_sizes_need_equal_roots_and_an_empty_proof() -> None:
    verify_consistency(8, 8, ROOTS[8], ROOTS[8], ())
    with pytest.raises(VerificationError):
        verify_consistency(8, 8, ROOTS[8], ROOTS[7], ())
    with pytest.raises(VerificationError):
        verify_consistency(8, 8, ROOTS[8], ROOTS[8], (ROOTS[1],))


def test_unequal_sizes_need_a_proof() -> None:
    with pytest.raises(VerificationError):
        verify_consistency(4, 8, ROOTS[4], ROOTS[8], ())
    with pytest.raises(VerificationError):
        verify_consistency(8, 4, ROOTS[8], ROOTS[4], (ROOTS[1],))


def test_a_hash_of_another_length_is_refused() -> None:
    proof = tree_of(8).inclusion_proof(3)
    with pytest.raises(VerificationError):
        verify_inclusion(3, 8, leaf_hash(LEAVES[3]), ROOTS[8], (proof[0][:31], *proof[1:]))
    with pytest.raises(VerificationError):
        verify_inclusion(0, 1, b"short", b"short", ())
    with pytest.raises(ValueError, match="a leaf hash has 32 bytes"):
        CompactRange.empty().append(b"short")
    with pytest.raises(ValueError, match="a leaf hash has 32 bytes"):
        MerkleTree().append(b"short")


def test_a_tree_refuses_what_it_does_not_have() -> None:
    tree = tree_of(3)
    for ask in (
        lambda: tree.root(4),
        lambda: tree.inclusion_proof(3),
        lambda: tree.leaf_hash(3),
        lambda: tree.leaf_hash(-1),
    ):
        with pytest.raises(ValueError, match="outside"):
            ask()


def test_a_compact_range_survives_storage_and_nothing_else_loads() -> None:
    compact = CompactRange.empty()
    for leaf in LEAVES[:7]:
        compact = compact.append(leaf_hash(leaf))
        assert CompactRange.load(compact.dump()) == compact
    stored = compact.dump()
    for damaged in (b"", b"\x02" + stored[1:], stored[:-1], stored + b"\x00", stored[:8] + b"\x08" + stored[9:]):
        with pytest.raises(ValueError, match="compact range"):
            CompactRange.load(damaged)
