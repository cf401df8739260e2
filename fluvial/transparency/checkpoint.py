"""Checkpoints (https://c2sp.org/tlog-checkpoint): a log's size and root, signed as a note by the key that bears the
log's name.

    <origin>
    <size, decimal>
    <root, base64>

Every line ends in a newline.
"""

from base64 import b64encode
from dataclasses import dataclass
from typing import Self

from fluvial.identity.keys import SigningKey
from fluvial.transparency.merkle import EMPTY_ROOT, HASH_BYTES
from fluvial.transparency.note import KeyType, NoteKey, decode_base64, open_note, parse_decimal, sign_note
from fluvial.wire.errors import VerificationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a log says of itself: which log (origin), how many leaves, and their root (32 bytes).

    extensions: further lines, not empty. Fluvial writes none, since nobody can audit them; what a log has to say goes
    in a leaf.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def to_text(self) -> bytes:
        """The text that is signed."""
        lines = [self.origin, str(self.size), b64encode(self.root).decode(), *self.extensions]
        return "".join(line + "\n" for line in lines).encode()

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Read a note's text. Raises VerificationError."""
        lines = text.removesuffix(b"\n").split(b"\n")
        if not text.endswith(b"\n") or len(lines) < 3 or not all(lines):
            raise VerificationError("a checkpoint is an origin, a size and a root, and none of its lines is empty")
        try:
            origin, *extensions = (line.decode() for line in (lines[0], *lines[3:]))
        except UnicodeDecodeError:
            raise VerificationError("checkpoint is not UTF-8") from None
        size, root = parse_decimal(lines[1]), decode_base64(lines[2])
        if len(root) != HASH_BYTES:
            raise VerificationError(f"root of a checkpoint has {HASH_BYTES} bytes, not {len(root)}")
        if size == 0 and root != EMPTY_ROOT:
            raise VerificationError("checkpoint of no leaves has a root of some")
        return cls(origin=origin, size=size, root=root, extensions=tuple(extensions))


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> bytes:
    """The checkpoint as a signed note. The key's name is the log's origin."""
    return sign_note(checkpoint.to_text(), checkpoint.origin, key)


def open_checkpoint(note: bytes, log_key: NoteKey) -> Checkpoint:
    """Check that a note is a checkpoint of the log that the key belongs to, and read it. Raises VerificationError."""
    if log_key.type is not KeyType.ED25519:
        raise ValueError(f"a log signs with {KeyType.ED25519.name}, not {log_key.type.name}")
    checkpoint = Checkpoint.parse(open_note(note, [log_key]).text)
    if checkpoint.origin != log_key.name:
        raise VerificationError(f"checkpoint is one of the log {checkpoint.origin!r}, not of {log_key.name!r}")
    return checkpoint
