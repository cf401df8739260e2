"""Checkpoints go both ways unchanged and come in one form."""

import pytest

from fluvial.identity.keys import SigningKey
from fluvial.transparency.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from fluvial.transparency.merkle import EMPTY_ROOT
from fluvial.transparency.note import KeyType, NoteKey, sign_note
from fluvial.wire.errors import VerificationError

KEY = SigningKey.generate()
LOG = NoteKey(name="fluvial.example/audit", public_key=KEY.public_key)
ROOT = bytes(range(32))
CHECKPOINT = Checkpoint(origin="fluvial.example/audit", size=20852163, root=ROOT)
TEXT = b"fluvial.example/audit\n20852163\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"


def test_a_checkpoint_is_three_lines() -> None:
    assert CHECKPOINT.to_text() == TEXT
    assert Checkpoint.parse(TEXT) == CHECKPOINT


def test_a_signed_checkpoint_opens_with_the_key_of_its_log() -> None:
    assert open_checkpoint(sign_checkpoint(CHECKPOINT, KEY), LOG) == CHECKPOINT


def test_extension_lines_are_kept() -> None:
    extended = Checkpoint.parse(TEXT + "more é\n".encode())
    assert extended.extensions == ("more é",)
    assert extended.to_text() == TEXT + "more é\n".encode()


def test_a_checkpoint_of_another_log_is_refused_even_with_a_good_signature() -> None:
    foreign = Checkpoint(origin="elsewhere.example", size=1, root=ROOT)
    with pytest.raises(VerificationError, match="one of the log"):
        open_checkpoint(sign_note(foreign.to_text(), LOG.name, KEY), LOG)


def test_a_witness_key_is_no_log_key() -> None:
    with pytest.raises(ValueError, match="a log signs with"):
        open_checkpoint(
            sign_checkpoint(CHECKPOINT, KEY),
            NoteKey(name=LOG.name, type=KeyType.COSIGNATURE, public_key=KEY.public_key),
        )


@pytest.mark.parametrize("size", ["1_0", "+7", " 7", "07", "-1", "", "\u0661", "9" * 40, str(1 << 63), "1.0"])
def test_sizes_have_one_form(size: str) -> None:
    with pytest.raises(VerificationError):
        Checkpoint.parse(TEXT.replace(b"20852163", size.encode()))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        TEXT[:-1],
        TEXT.replace(b"fluvial.example/audit", b""),
        TEXT + b"\n",
        TEXT.replace(b"8=\n", b"9=\n"),
        TEXT.replace(b"AAEC", b"AA=="),
        TEXT.replace(b"AAEC", b""),
        TEXT.replace(b"20852163", b"0"),
        TEXT + b"\xff\n",
    ],
)
def test_malformed_checkpoints_are_refused(text: bytes) -> None:
    with pytest.raises(VerificationError):
        Checkpoint.parse(text)


def test_the_empty_log_has_a_checkpoint() -> None:
    empty = Checkpoint(origin="log", size=0, root=EMPTY_ROOT)
    assert Checkpoint.parse(empty.to_text()) == empty
