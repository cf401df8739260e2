"""Proof that a leaf is in a log (https://c2sp.org/tlog-proof): a file for offline use, a participant's receipt for a
verdict.

    c2sp.org/tlog-proof@v1
    extra <base64>             (optional; not authenticated)
    index <index of the leaf, decimal>
    <inclusion hash, base64>   (from the leaf's sibling up; none in a log of one leaf)
                               (an empty line)
    <checkpoint, a signed note>

Every line ends in a newline.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from fluvial.transparency.checkpoint import Checkpoint, open_checkpoint
from fluvial.transparency.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from fluvial.transparency.note import KeyType, NoteKey, decode_base64, open_note, parse_decimal
from fluvial.wire.errors import VerificationError

MAX_PROOF_BYTES = 2_000_000
MAX_HASHES = 64
_HEADER = b"c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlogProof:
    """A leaf's index, the hashes from its sibling up (32 bytes each), and the checkpoint, a signed note, whose root
    they lead to.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def to_bytes(self) -> bytes:
        """The file."""
        lines = [_HEADER]
        if self.extra is not None:
            lines.append(b"extra " + b64encode(self.extra))
        lines.append(b"index %d" % self.index)
        lines += map(b64encode, self.hashes)
        return b"\n".join(lines) + b"\n\n" + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a file, without checking what it claims. Raises VerificationError."""
        if len(data) > MAX_PROOF_BYTES:
            raise VerificationError(f"proof is larger than {MAX_PROOF_BYTES} bytes")
        head, separator, checkpoint = data.partition(b"\n\n")
        header, *lines = head.split(b"\n")
        if not separator or header != _HEADER:
            raise VerificationError(f"not a proof: it does not start with {_HEADER.decode()}, or has no checkpoint")
        extra = None
        if lines and lines[0].startswith(b"extra "):
            extra = decode_base64(lines.pop(0).removeprefix(b"extra "))
        if not lines or not lines[0].startswith(b"index "):
            raise VerificationError("proof has no index")
        index = parse_decimal(lines.pop(0).removeprefix(b"index "))
        hashes = tuple(map(decode_base64, lines))
        if len(hashes) > MAX_HASHES or any(len(value) != HASH_BYTES for value in hashes):
            raise VerificationError(
                f"proof has more than {MAX_HASHES} hashes, or one that is not {HASH_BYTES} bytes long"
            )
        return cls(index=index, hashes=hashes, checkpoint=checkpoint, extra=extra)


def verify_proof(
    data: bytes, leaf: bytes, log_key: NoteKey, witnesses: Sequence[NoteKey] = (), quorum: int = 0
) -> tuple[int, Checkpoint]:
    """Check that the leaf (its raw bytes) is in the log.

    1. The checkpoint is signed by the log and bears its name. 2. At least `quorum` of the witnesses cosigned it.
    3. The hashes lead from the leaf to its root. Returns the leaf's index and the checkpoint. Raises VerificationError.
    """
    if not 0 <= quorum <= len(witnesses) or any(witness.type is not KeyType.COSIGNATURE for witness in witnesses):
        raise ValueError(f"no quorum of {quorum} among {len(witnesses)} witness keys")
    proof = TlogProof.parse(data)
    checkpoint = open_checkpoint(proof.checkpoint, log_key)
    if witnesses:
        signers = {key.public_key for key in open_note(proof.checkpoint, [log_key, *witnesses]).signers}
        if len(signers - {log_key.public_key}) < quorum:
            raise VerificationError(f"checkpoint is cosigned by fewer than {quorum} of {len(witnesses)} witnesses")
    verify_inclusion(proof.index, checkpoint.size, leaf_hash(leaf), checkpoint.root, proof.hashes)
    return proof.index, checkpoint
