"""Signed notes (https://c2sp.org/signed-note): a text, an empty line, and lines of signatures.

    <text, ending in a newline>
                                                     (an empty line, not signed)
    — <name> <base64(key id, 4 bytes ‖ signature)>   (once or more; the dash is U+2014)

A key is known by its name and its key id together. Signatures by unknown keys are ignored, a bad signature by a known
key condemns the note, and so does the absence of any good one. Works on bytes throughout: str methods split and convert
more than the format allows.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Self

from fluvial.identity.keys import SigningKey, verify
from fluvial.wire.errors import VerificationError

MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100
KEY_ID_BYTES = 4
_DASH = "\u2014 ".encode()
_FORBIDDEN = re.compile(rb"[\x00-\x09\x0b-\x1f]")
_PUBLIC_KEY_BYTES = 32
_SIGNATURE_BYTES = 64
_TIME_BYTES = 8


class KeyType(IntEnum):
    """How a key signs: the first byte of its encoding."""

    ED25519 = 1
    """Ed25519 over the note's text."""
    COSIGNATURE = 4
    """Ed25519 over the text and a time, by a witness (https://c2sp.org/tlog-cosignature)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteKey:
    """The public half of a key that signs notes.

    name: not empty, without white space and `+`. public_key: 32 bytes, Ed25519. Raises ValueError for others.
    """

    name: str
    type: KeyType = KeyType.ED25519
    public_key: bytes

    def __post_init__(self) -> None:
        if not _is_name(self.name):
            raise ValueError(f"not a key name (empty, or holds white space or '+'): {self.name!r}")
        if len(self.public_key) != _PUBLIC_KEY_BYTES:
            raise ValueError(f"an Ed25519 key has {_PUBLIC_KEY_BYTES} bytes, not {len(self.public_key)}")

    @property
    def key_id(self) -> bytes:
        """The 4 bytes by which a signature line names this key, together with the name."""
        return sha256(self.name.encode() + b"\n" + self._encoded()).digest()[:KEY_ID_BYTES]

    def to_text(self) -> str:
        """The key as a line of text ("vkey"): `name+key id in hex+base64(type ‖ public key)`."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(self._encoded()).decode()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a vkey. Raises ValueError."""
        parts = text.split("+", 2)  # base64 may hold further ones
        if len(parts) != 3:
            raise ValueError("a note key is written name+id+key")
        name, key_id, encoded = parts
        try:
            material = decode_base64(encoded.encode())
            key = cls(name=name, type=KeyType(material[0]), public_key=material[1:])
        except (VerificationError, IndexError, ValueError) as error:
            raise ValueError(f"not a note key: {error}") from None
        if key.key_id.hex() != key_id:
            raise ValueError(f"not a note key: key id of {name} is {key.key_id.hex()}, not {key_id!r}")
        return key

    def _encoded(self) -> bytes:
        return bytes([self.type]) + self.public_key


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedNote:
    """A note whose signatures have been checked.

    text: what was signed, with its final newline. signers: the known keys that signed it, at least one.
    """

    text: bytes
    signers: tuple[NoteKey, ...]


def sign_note(text: bytes, name: str, key: SigningKey) -> bytes:
    """Make a note of a text (UTF-8, ends in a newline, no other control characters; ValueError otherwise) with one
    signature.
    """
    if problem := _problem_of_text(text):
        raise ValueError(f"a note's text {problem}")
    note_key = NoteKey(name=name, public_key=key.public_key)
    return text + b"\n" + signature_line(note_key, key.sign(text))


def cosign_note(note: bytes, name: str, key: SigningKey, time_s: int) -> bytes:
    """Add a witness's cosignature to a note. time_s: seconds since the epoch. Raises VerificationError for what is no
    note.

    That the log is consistent with what this witness saw before is for the caller to check, before.
    """
    text, _ = split_note(note)
    note_key = NoteKey(name=name, type=KeyType.COSIGNATURE, public_key=key.public_key)
    signature = key.sign(_cosigned(text, time_s))
    return note + signature_line(note_key, time_s.to_bytes(_TIME_BYTES) + signature)


def signature_line(key: NoteKey, signature: bytes) -> bytes:
    """One line of signature, with its newline."""
    return _DASH + key.name.encode() + b" " + b64encode(key.key_id + signature) + b"\n"


def open_note(note: bytes, keys: Sequence[NoteKey]) -> OpenedNote:
    """Check a note's signatures by the known keys. Raises VerificationError unless one is good and none of a known key
    is bad.
    """
    text, lines = split_note(note)
    known = {(key.name, key.key_id): key for key in keys}
    signers: dict[tuple[str, bytes], NoteKey] = {}
    for name, key_id, signature in lines:
        key = known.get((name, key_id))
        if key is None:
            continue
        if not _CHECKS[key.type](key.public_key, signature, text):
            raise VerificationError(f"signature of {name}+{key_id.hex()} on the note does not verify")
        signers[name, key_id] = key
    if not signers:
        named = ", ".join(f"{name}+{key_id.hex()}" for name, key_id, _ in lines)
        raise VerificationError(f"note is not signed by a known key, but by {named}")
    return OpenedNote(text=text, signers=tuple(signers.values()))


def split_note(note: bytes) -> tuple[bytes, list[tuple[str, bytes, bytes]]]:
    """A note's text and its signatures (name, key id, signature), unchecked. Raises VerificationError for what is no
    note.
    """
    if len(note) > MAX_NOTE_BYTES:
        raise VerificationError(f"note is larger than {MAX_NOTE_BYTES} bytes")
    if problem := _problem_of_text(note):
        raise VerificationError(f"note {problem}")
    text, separator, signatures = note.rpartition(b"\n\n")
    if not separator or not signatures:
        raise VerificationError("note has no signatures")
    lines = signatures.removesuffix(b"\n").split(b"\n")
    if len(lines) > MAX_SIGNATURES:
        raise VerificationError(f"note has more than {MAX_SIGNATURES} signatures")
    return text + b"\n", [_parse_signature(line) for line in lines]


def decode_base64(encoded: bytes) -> bytes:
    """Standard base64 in its one canonical form. Raises VerificationError for every other form."""
    try:
        decoded = b64decode(encoded, validate=True)
    except ValueError:
        raise VerificationError("not base64") from None
    if b64encode(decoded) != encoded:  # "AA==" and "AB==" decode alike
        raise VerificationError("base64 is not canonical")
    return decoded


def parse_decimal(digits: bytes) -> int:
    """A decimal number below 2**63 without sign and leading zeros. Raises VerificationError."""
    if not re.fullmatch(rb"0|[1-9][0-9]{0,18}", digits) or int(digits) >= 1 << 63:
        raise VerificationError(f"not a decimal number: {digits[:24]!r}")
    return int(digits)


def _parse_signature(line: bytes) -> tuple[str, bytes, bytes]:
    if not line.startswith(_DASH):
        raise VerificationError("a signature line does not start with a dash")
    name, separator, encoded = line[len(_DASH) :].partition(b" ")
    if not separator or not _is_name(name.decode()):
        raise VerificationError("a signature line has no key name")
    material = decode_base64(encoded)
    if len(material) <= KEY_ID_BYTES:
        raise VerificationError("a signature line has no signature")
    return name.decode(), material[:KEY_ID_BYTES], material[KEY_ID_BYTES:]


def _problem_of_text(text: bytes) -> str | None:
    if not text.endswith(b"\n"):
        return "does not end in a newline"
    if _FORBIDDEN.search(text):
        return "holds a control character"
    try:
        text.decode()
    except UnicodeDecodeError:
        return "is not UTF-8"
    return None


def _is_name(name: str) -> bool:
    return (
        bool(name) and "+" not in name and not any(character.isspace() or ord(character) < 0x20 for character in name)
    )


def _check_text(public_key: bytes, signature: bytes, text: bytes) -> bool:
    return len(signature) == _SIGNATURE_BYTES and verify(public_key, signature, text)


def _check_cosignature(public_key: bytes, signature: bytes, text: bytes) -> bool:
    if len(signature) != _TIME_BYTES + _SIGNATURE_BYTES:
        return False
    time_s = int.from_bytes(signature[:_TIME_BYTES])
    return verify(public_key, signature[_TIME_BYTES:], _cosigned(text, time_s))


def _cosigned(text: bytes, time_s: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % time_s + text


_CHECKS: dict[KeyType, Callable[[bytes, bytes, bytes], bool]] = {
    KeyType.ED25519: _check_text,
    KeyType.COSIGNATURE: _check_cosignature,
}
