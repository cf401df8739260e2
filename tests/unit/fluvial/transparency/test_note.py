"""Notes of other implementations verify; the traps of the format do not."""

import json
from pathlib import Path

import pytest

from fluvial.identity.keys import SigningKey
from fluvial.transparency.note import KeyType, NoteKey, cosign_note, open_note, sign_note, split_note
from fluvial.wire.errors import VerificationError

GOLDEN = json.loads((Path(__file__).parents[3] / "golden" / "signed_notes.json").read_text())
KEY = SigningKey.generate()
NOTE_KEY = NoteKey(name="log.example", public_key=KEY.public_key)
NOTE = sign_note(b"text\n", "log.example", KEY)


@pytest.mark.parametrize("vector", GOLDEN, ids=lambda vector: vector["source"])
def test_notes_of_other_implementations_verify(vector: dict[str, str]) -> None:
    key = NoteKey.parse(vector["vkey"])
    assert key.to_text() == vector["vkey"]
    opened = open_note(vector["note"].encode(), [key])
    assert opened.text.decode() == vector["note"].rpartition("\n\n")[0] + "\n"
    assert opened.signers == (key,)


def test_a_note_opens_to_the_text_that_was_signed() -> None:
    assert open_note(NOTE, [NOTE_KEY]).text == b"text\n"


def test_text_and_signatures_part_at_the_last_empty_line() -> None:
    text = "one\n\n— no signature\n\n\u2028\x85two\n\n".encode()
    assert open_note(sign_note(text, "log.example", KEY), [NOTE_KEY]).text == text


def test_unknown_keys_are_ignored_but_one_known_key_must_have_signed() -> None:
    other = SigningKey.generate()
    both = NOTE + sign_note(b"text\n", "other.example", other).partition(b"\n\n")[2]
    assert open_note(both, [NOTE_KEY]).signers == (NOTE_KEY,)
    with pytest.raises(VerificationError, match="not signed by a known key"):
        open_note(NOTE, [NoteKey(name="log.example", public_key=other.public_key)])
    with pytest.raises(VerificationError, match="not signed by a known key"):
        open_note(NOTE, [NoteKey(name="other.example", public_key=KEY.public_key)])
    with pytest.raises(VerificationError, match="not signed by a known key"):
        open_note(NOTE, [])


def test_a_bad_signature_of_a_known_key_condemns_a_note_with_a_good_one() -> None:
    other = SigningKey.generate()
    foreign_line = sign_note(b"another text\n", "other.example", other).partition(b"\n\n")[2]
    with pytest.raises(VerificationError, match="does not verify"):
        open_note(NOTE + foreign_line, [NOTE_KEY, NoteKey(name="other.example", public_key=other.public_key)])


@pytest.mark.parametrize(
    "damage",
    [
        lambda note: note.replace(b"text", b"Text"),
        lambda note: note[:-1],
        lambda note: note + b"\n",
        lambda note: note.replace(b"\n\n", b"\n"),
        lambda note: note.replace(b"\n\n", b"\n\r\n"),
        lambda note: note.replace("— ".encode(), b"- "),
        lambda note: note.replace(b"example ", b"example  "),
        lambda note: note.replace(b"text", b"te\x00xt"),
        lambda note: note.replace(b"text", b"te\xffxt"),
        lambda note: note.replace(b"==\n", b"=\n") if b"==\n" in note else note.replace(b"=\n", b"\n"),
        lambda note: note.replace(b"example ", b"example *"),
        lambda note: b"",
        lambda note: b"x" * 1_000_001,
        lambda note: note + note.partition(b"\n\n")[2] * 100,
    ],
)
def test_damaged_notes_are_refused(damage: object) -> None:
    assert callable(damage)
    with pytest.raises(VerificationError):
        open_note(damage(NOTE), [NOTE_KEY])


def test_base64_with_stray_bits_is_refused() -> None:
    """ "AA==" and "AB==" decode to the same byte: a note must not have two forms."""
    line = "— log.example ".encode()
    for encoded in (b"AAAAAAB=", b"AAAA AAA=", b"AAAA\tAAA="):
        with pytest.raises(VerificationError):
            split_note(b"text\n\n" + line + encoded + b"\n")


def test_sixteen_signatures_are_accepted() -> None:
    others = b"".join(
        sign_note(b"text\n", f"other.example/{number}", SigningKey.generate()).partition(b"\n\n")[2]
        for number in range(15)
    )
    assert open_note(NOTE + others, [NOTE_KEY]).text == b"text\n"


def test_a_cosignature_counts_for_its_type_alone() -> None:
    witness = SigningKey.generate()
    cosigned = cosign_note(NOTE, "witness.example", witness, 1_700_000_000)
    witness_key = NoteKey(name="witness.example", type=KeyType.COSIGNATURE, public_key=witness.public_key)
    assert open_note(cosigned, [NOTE_KEY, witness_key]).signers == (NOTE_KEY, witness_key)
    plain = NoteKey(name="witness.example", public_key=witness.public_key)
    with pytest.raises(VerificationError, match="not signed by a known key"):
        open_note(cosigned, [plain])
    with pytest.raises(VerificationError, match="does not verify"):
        open_note(cosigned.replace(b"text", b"test"), [witness_key])


@pytest.mark.parametrize("text", [b"", b"no newline", b"tab\t\n", b"\xff\n"])
def test_texts_that_no_note_can_hold_are_not_signed(text: bytes) -> None:
    with pytest.raises(ValueError, match="a note's text"):
        sign_note(text, "log.example", KEY)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\nb"])
def test_names_that_no_key_can_have(name: str) -> None:
    with pytest.raises(ValueError, match="not a key name"):
        NoteKey(name=name, public_key=KEY.public_key)


@pytest.mark.parametrize(
    "text",
    ["", "name", "name+id", "name+00000000+AAAA", NOTE_KEY.to_text()[:-4], NOTE_KEY.to_text().replace("log", "lag")],
    ids=["nothing", "no id", "no key", "not the key's id", "cut short", "another name"],
)
def test_malformed_keys_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="note key"):
        NoteKey.parse(text)
    assert NoteKey.parse(NOTE_KEY.to_text()) == NOTE_KEY
