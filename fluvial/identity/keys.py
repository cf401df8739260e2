"""Ed25519 keys (RFC 8032), checked strictly.

Public keys of small order, for which one signature fits many messages, and encodings that are not canonical (y >= p)
are refused before any library sees them. Signatures are checked by libsodium everywhere: for an envelope that refers to
its chunks it takes half of OpenSSL's time (they meet between 16 and 64 KiB), and it gives the GIL back. One library,
because two may differ on signatures made to divide them, and an auditor would then contradict a verdict. OpenSSL, which
signs and reads private keys, is loaded where there is one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from fluvial.wire.files import at_home, create_private, read_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_BYTES = 32
SIGNATURE_BYTES = 64

_P = 2**255 - 19
# y coordinates of the eight points of small order (libsodium, ge25519_has_small_order), without their signs.
_SMALL_ORDER_Y = frozenset(
    {
        0,
        1,
        _P - 1,
        int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
    }
)


class SigningKey:
    """A private key. Its public half is `public_key`, 32 bytes."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key: bytes = key.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> SigningKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """The key of a 32-byte seed (RFC 8032 private key)."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Read a PEM file (PKCS 8, not encrypted). Raises ValueError when it holds no Ed25519 key."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(read_bytes(at_home(path)), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it is encrypted
            raise ValueError(f"{path} holds no private key that can be read: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"{path} holds no Ed25519 key")
        return cls(key)

    def save(self, path: Path) -> None:
        """Write a PEM file that only its owner may read, as a whole or not at all.

        Raises FileExistsError rather than replace a key, OSError.
        """
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        create_private(at_home(path), pem)

    def sign(self, message: bytes) -> bytes:
        """Signature, 64 bytes."""
        return self._key.sign(message)


def is_acceptable(public_key: bytes) -> bool:
    """Whether the bytes are a canonical public key of large order."""
    if len(public_key) != KEY_BYTES:
        return False
    y = int.from_bytes(public_key, "little") & ((1 << 255) - 1)
    return y < _P and y not in _SMALL_ORDER_Y


def verify(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature is this key's over the message. Never raises for bytes of any kind."""
    # libsodium takes the two as one string: without the first check a longer signature would be part of the message.
    if len(signature) != SIGNATURE_BYTES or not is_acceptable(public_key):
        return False
    try:
        crypto_sign_open(signature + message, public_key)
    except BadSignatureError:
        return False
    return True
