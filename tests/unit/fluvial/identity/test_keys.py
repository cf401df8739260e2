import stat
from itertools import product
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519

from fluvial.identity.keys import SigningKey, is_acceptable, verify
from tests.unit.fluvial.identity.slow_ed25519 import IDENTITY, L, P, encodings, multiply, points_at, small_order

# RFC 8032, section 7.1: seed, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]
KEY = SigningKey.from_seed(bytes(31) + b"\1")
SMALL_ORDER = sorted(encoding for point in small_order() for encoding in encodings(point))


@pytest.mark.parametrize(("seed", "public_key", "message", "signature"), RFC_8032)
def test_the_vectors_of_the_specification_hold(seed: str, public_key: str, message: str, signature: str) -> None:
    key = SigningKey.from_seed(bytes.fromhex(seed))
    assert key.public_key.hex() == public_key
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert verify(bytes.fromhex(public_key), bytes.fromhex(signature), bytes.fromhex(message))


def test_a_signature_is_of_one_key_and_one_message() -> None:
    signature = KEY.sign(b"message")
    assert verify(KEY.public_key, signature, b"message")
    assert not verify(KEY.public_key, signature, b"messagf")
    assert not verify(KEY.public_key, signature, b"message\0")
    assert not verify(SigningKey.generate().public_key, signature, b"message")


def test_every_flipped_bit_of_a_signature_is_noticed() -> None:
    signature = KEY.sign(b"message")
    for position, bit in product(range(64), range(8)):
        flipped = bytearray(signature)
        flipped[position] ^= 1 << bit
        assert not verify(KEY.public_key, bytes(flipped), b"message")


@pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
def test_a_signature_of_another_length_is_none(length: int) -> None:
    assert not verify(KEY.public_key, (KEY.sign(b"m") * 2)[:length], b"m")


def test_the_border_between_signature_and_message_cannot_move() -> None:
    signature = KEY.sign(b"xy")
    assert not verify(KEY.public_key, signature + b"x", b"y")
    assert not verify(KEY.public_key, signature[:-1], signature[-1:] + b"xy")


@pytest.mark.parametrize("length", [0, 1, 31, 33, 64])
def test_a_key_of_another_length_is_none(length: int) -> None:
    assert not is_acceptable((KEY.public_key * 2)[:length])
    assert not verify((KEY.public_key * 2)[:length], KEY.sign(b"m"), b"m")


def test_a_signature_cannot_be_changed_into_another_of_the_same_message() -> None:
    signature = KEY.sign(b"m")
    scalar = int.from_bytes(signature[32:], "little")
    assert not verify(KEY.public_key, signature[:32] + (scalar + L).to_bytes(32, "little"), b"m")


def test_the_points_of_small_order_are_eight_in_fourteen_encodings() -> None:
    points = small_order()
    assert len(points) == 8
    assert all(multiply(8, point) == IDENTITY for point in points)
    assert len(SMALL_ORDER) == 14


@pytest.mark.parametrize("public_key", SMALL_ORDER, ids=bytes.hex)
def test_a_key_of_small_order_is_refused(public_key: bytes) -> None:
    assert not is_acceptable(public_key)
    # OpenSSL alone accepts the neutral point as key and R, with S = 0, for every message, and others for some.
    for number, point in product(range(64), SMALL_ORDER):
        assert not verify(public_key, point + bytes(32), b"message %d" % number)


def test_encodings_that_are_not_canonical_are_refused() -> None:
    read_as_points = [y for y in range(19) if points_at(y)]
    assert len(read_as_points) > 3
    for y, sign in product(read_as_points, (0, 1)):
        assert not is_acceptable((y + P | sign << 255).to_bytes(32, "little"))


def test_ordinary_keys_are_acceptable() -> None:
    assert all(is_acceptable(SigningKey.generate().public_key) for _ in range(100))


def test_a_key_is_saved_for_its_owner_alone_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "anna.pem"
    KEY.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SigningKey.load(path).public_key == KEY.public_key
    with pytest.raises(FileExistsError):
        SigningKey.generate().save(path)
    assert SigningKey.load(path).sign(b"m") == KEY.sign(b"m")


def _pem(key: ed25519.Ed25519PrivateKey | x25519.X25519PrivateKey, password: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not a key", id="text"),
        pytest.param(_pem(x25519.X25519PrivateKey.generate()), id="another kind of key"),
        pytest.param(_pem(ed25519.Ed25519PrivateKey.generate(), b"secret"), id="encrypted"),
    ],
)
def test_a_file_that_holds_no_key_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "anna.pem"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"anna\.pem"):
        SigningKey.load(path)


def test_a_key_that_cannot_be_written_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError("no room")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no room"):
        KEY.save(tmp_path / "anna.pem")
    assert list(tmp_path.iterdir()) == []
