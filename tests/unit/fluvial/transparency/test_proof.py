"""The complete vector of a C2SP tlog-proof: made again byte by byte, verified, and refused after any change."""

from pathlib import Path

import pytest

from fluvial.identity.keys import SigningKey
from fluvial.transparency.checkpoint import Checkpoint, sign_checkpoint
from fluvial.transparency.merkle import leaf_hash
from fluvial.transparency.note import NoteKey, cosign_note
from fluvial.transparency.proof import TlogProof, verify_proof
from fluvial.transparency.tree import MerkleTree
from fluvial.wire.errors import VerificationError

GOLDEN = (Path(__file__).parents[3] / "golden" / "verdict_1.tlog-proof").read_bytes()
LOG = NoteKey.parse("fluvial.example/audit+cf09a1cb+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea")
WITNESS = NoteKey.parse("witness.example/w1+04d2d833+BD1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM")
# RFC 8032, section 7.1, TEST 1 and TEST 2.
LOG_KEY = SigningKey.from_seed(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
WITNESS_KEY = SigningKey.from_seed(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
LEAVES = [b"verdict 0", b"verdict 1", b"verdict 2"]


def test_the_vector_verifies_with_its_witness() -> None:
    index, checkpoint = verify_proof(GOLDEN, b"verdict 1", LOG, [WITNESS], quorum=1)
    assert (index, checkpoint.size, checkpoint.origin) == (1, 3, "fluvial.example/audit")


def test_the_vector_is_made_again_byte_by_byte() -> None:
    tree = MerkleTree()
    for leaf in LEAVES:
        tree.append(leaf_hash(leaf))
    checkpoint = Checkpoint(origin=LOG.name, size=3, root=tree.root())
    note = sign_checkpoint(checkpoint, LOG_KEY)
    cosigned = cosign_note(note, WITNESS.name, WITNESS_KEY, 1_700_000_000)
    assert TlogProof(index=1, hashes=tree.inclusion_proof(1), checkpoint=cosigned).to_bytes() == GOLDEN


def test_parsing_and_writing_are_inverse() -> None:
    assert TlogProof.parse(GOLDEN).to_bytes() == GOLDEN
    extended = TlogProof(index=0, hashes=(), checkpoint=b"note", extra=b"anything\n\n")
    assert TlogProof.parse(extended.to_bytes()) == extended


@pytest.mark.parametrize("leaf", [b"verdict 0", b"verdict 2", b""])
def test_another_leaf_is_not_proven(leaf: bytes) -> None:
    with pytest.raises(VerificationError):
        verify_proof(GOLDEN, leaf, LOG)


def test_a_quorum_that_is_not_reached_is_refused() -> None:
    other = NoteKey(name="witness.example/w2", type=WITNESS.type, public_key=SigningKey.generate().public_key)
    with pytest.raises(VerificationError, match="fewer than 2"):
        verify_proof(GOLDEN, b"verdict 1", LOG, [WITNESS, other], quorum=2)
    with pytest.raises(ValueError, match="no quorum"):
        verify_proof(GOLDEN, b"verdict 1", LOG, [WITNESS], quorum=2)
    with pytest.raises(ValueError, match="no quorum"):
        verify_proof(GOLDEN, b"verdict 1", LOG, [LOG], quorum=1)


def test_every_flipped_bit_is_refused() -> None:
    for position in range(len(GOLDEN)):
        for bit in (0, 3, 6):
            damaged = bytearray(GOLDEN)
            damaged[position] ^= 1 << bit
            with pytest.raises(VerificationError):
                verify_proof(bytes(damaged), b"verdict 1", LOG, [WITNESS], quorum=1)


def test_every_cut_is_refused() -> None:
    for length in range(len(GOLDEN)):
        with pytest.raises(VerificationError):
            verify_proof(GOLDEN[:length], b"verdict 1", LOG, [WITNESS], quorum=1)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(b"index 1", b"index 01"),
        lambda data: data.replace(b"index 1\n", b""),
        lambda data: data.replace(b"index 1\n", b"index 1\nextra AAAA\n"),
        lambda data: data.replace(b"index 1\n", b"index 1\n" + b"XQ7Zmi8c/dt8htIIVuUst3anG50Q72P3mPNfNLCLLkM=\n" * 63),
        lambda data: data.replace(b"@v1", b"@v2"),
        lambda data: b"x" * 2_000_001,
    ],
)
def test_malformed_proofs_are_refused(damage: object) -> None:
    assert callable(damage)
    with pytest.raises(VerificationError):
        verify_proof(damage(GOLDEN), b"verdict 1", LOG)
