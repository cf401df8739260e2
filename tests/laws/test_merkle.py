"""Laws of the Merkle log, against the slow, obvious tree of RFC 6962, section 2.1, written from its text."""

from functools import partial
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from fluvial.transparency.compact_range import CompactRange
from fluvial.transparency.merkle import leaf_hash, verify_consistency, verify_inclusion
from fluvial.transparency.tree import MerkleTree
from fluvial.wire.errors import VerificationError

MAX_LEAVES = 70
Hash = bytes


def split(leaves: list[bytes]) -> int:
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return k


def slow_root(leaves: list[bytes]) -> Hash:
    """MTH(D[n])."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = split(leaves)
    return sha256(b"\x01" + slow_root(leaves[:k]) + slow_root(leaves[k:])).digest()


def slow_path(m: int, leaves: list[bytes]) -> list[Hash]:
    """PATH(m, D[n])."""
    if len(leaves) == 1:
        return []
    k = split(leaves)
    if m < k:
        return [*slow_path(m, leaves[:k]), slow_root(leaves[k:])]
    return [*slow_path(m - k, leaves[k:]), slow_root(leaves[:k])]


def slow_proof(m: int, leaves: list[bytes]) -> list[Hash]:
    """PROOF(m, D[n])."""
    return slow_subproof(m, leaves, True)


def slow_subproof(m: int, leaves: list[bytes], complete: bool) -> list[Hash]:
    """SUBPROOF(m, D[n], b)."""
    if m == len(leaves):
        return [] if complete else [slow_root(leaves)]
    k = split(leaves)
    if m <= k:
        return [*slow_subproof(m, leaves[:k], complete), slow_root(leaves[k:])]
    return [*slow_subproof(m - k, leaves[k:], False), slow_root(leaves[:k])]


def leaves_of(size: int) -> list[bytes]:
    return [b"leaf %d" % number for number in range(size)]


def tree_of(leaves: list[bytes]) -> MerkleTree:
    tree = MerkleTree()
    for leaf in leaves:
        tree.append(leaf_hash(leaf))
    return tree


@given(st.lists(st.binary(max_size=8), max_size=MAX_LEAVES))
def test_fast_roots_equal_the_slow_root(leaves: list[bytes]) -> None:
    tree, compact = MerkleTree(), CompactRange.empty()
    for size, leaf in enumerate(leaves):
        assert tree.root() == compact.root() == slow_root(leaves[:size])
        tree.append(leaf_hash(leaf))
        compact = CompactRange.load(compact.append(leaf_hash(leaf)).dump())
    assert tree.root() == compact.root() == slow_root(leaves)
    assert len(compact.hashes) == compact.size.bit_count()
    for first in {0, 1, len(leaves) // 2, len(leaves)}:
        hashes = [leaf_hash(leaf) for leaf in leaves]
        assert CompactRange.empty().extend(hashes[:first]).extend(hashes[first:]) == compact


@given(st.integers(1, MAX_LEAVES), st.data())
def test_inclusion_proofs_equal_the_slow_ones_and_verify(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(MAX_LEAVES)
    index = data.draw(st.integers(0, size - 1))
    proof = tree_of(leaves).inclusion_proof(index, size)
    assert list(proof) == slow_path(index, leaves[:size])
    verify_inclusion(index, size, leaf_hash(leaves[index]), slow_root(leaves[:size]), proof)


@given(st.integers(1, MAX_LEAVES), st.data())
def test_consistency_proofs_equal_the_slow_ones_and_verify(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(MAX_LEAVES)
    old_size = data.draw(st.integers(1, size))
    proof = tree_of(leaves).consistency_proof(old_size, size)
    assert list(proof) == slow_proof(old_size, leaves[:size])
    verify_consistency(old_size, size, slow_root(leaves[:old_size]), slow_root(leaves[:size]), proof)


@st.composite
def damaged(draw: st.DrawFn, proof: list[Hash]) -> list[Hash]:
    """A proof that differs from the given one: a hash more, a hash less, or a bit flipped."""
    kinds = ["longer"] + (["shorter", "flipped"] if proof else [])
    at = draw(st.integers(0, max(0, len(proof) - 1)))
    match draw(st.sampled_from(kinds)):
        case "longer":
            return [*proof[:at], draw(st.binary(min_size=32, max_size=32)), *proof[at:]]
        case "shorter":
            return [*proof[:at], *proof[at + 1 :]]
    flipped = bytearray(proof[at])
    flipped[draw(st.integers(0, 31))] ^= 1 << draw(st.integers(0, 7))
    return [*proof[:at], bytes(flipped), *proof[at + 1 :]]


@given(st.integers(1, MAX_LEAVES), st.data())
def test_an_altered_inclusion_proof_fails(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    index = data.draw(st.integers(0, size - 1))
    bad = data.draw(damaged(slow_path(index, leaves)))
    assert refused(lambda: verify_inclusion(index, size, leaf_hash(leaves[index]), slow_root(leaves), bad))


@given(st.integers(1, MAX_LEAVES), st.data())
def test_an_inclusion_proof_holds_for_its_place_alone(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    index, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(-1, size))
    proof = slow_path(index, leaves)
    if other != index:
        assert refused(lambda: verify_inclusion(other, size, leaf_hash(leaves[index]), slow_root(leaves), proof))


@given(st.integers(2, MAX_LEAVES), st.data())
def test_an_altered_consistency_proof_fails(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    old_size = data.draw(st.integers(1, size))
    bad = data.draw(damaged(slow_proof(old_size, leaves)))
    assert refused(lambda: verify_consistency(old_size, size, slow_root(leaves[:old_size]), slow_root(leaves), bad))


@given(st.integers(2, MAX_LEAVES), st.data())
def test_a_rewritten_past_has_no_consistency_proof(size: int, data: st.DataObject) -> None:
    """Whoever rewrites a leaf that was signed finds no proof among those that its own tree yields."""
    leaves = leaves_of(size)
    old_size = data.draw(st.integers(1, size))
    rewritten = list(leaves)
    rewritten[data.draw(st.integers(0, old_size - 1))] = b"another"
    old_root, new_root = slow_root(leaves[:old_size]), slow_root(rewritten)
    for claimed in range(old_size, size + 1):
        proof = slow_proof(claimed, rewritten)
        assert refused(partial(verify_consistency, old_size, size, old_root, new_root, proof))


def refused(check: object) -> bool:
    assert callable(check)
    try:
        check()
    except VerificationError:
        return True
    return False
