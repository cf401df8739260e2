"""Who vouches for a key that asks to be enrolled: a one-time token, which is not shown, or the key that it follows.

A token is the seed of a key of its own. What is published of it, and what a request names, is that key's public half;
the request proves the token by its signature over the new key, in this federation and for this name alone. So whoever
reads the topics learns nothing that lets him in, and whatever a stage forgets, a token lets in nobody but the key that
its owner chose. A participant's former key vouches for its successor in the same way.

Tokens of the first release are words that are shown; they are the first key's that shows them
(`governance.registry.token_claims`).
"""

from __future__ import annotations

import re
import secrets
from base64 import urlsafe_b64decode
from hashlib import sha256

from fluvial.identity.keys import SigningKey, verify

_PREFIX = "key."
_SECRET_BYTES = 32
_PUBLIC_KEY = re.compile(r"[0-9a-f]{64}")


def new_token() -> str:
    """A token of 256 random bits."""
    return _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def token_key(token: str) -> SigningKey | None:
    """The key of a token; None for one that is a word to be shown."""
    if not token.startswith(_PREFIX):
        return None
    try:
        secret = urlsafe_b64decode(token.removeprefix(_PREFIX) + "=")
    except ValueError:
        return None
    if len(secret) != _SECRET_BYTES:
        return None
    return SigningKey.from_seed(sha256(b"fluvial enrolment token\n" + secret).digest())


def public_form(token: str) -> str:
    """What a request names of a token, and of what the registry has the SHA-256."""
    key = token_key(token)
    return token if key is None else key.public_key.hex()


def is_public_form(named: str) -> bool:
    """Whether a request names a token, or a former key, that it must prove."""
    return _PUBLIC_KEY.fullmatch(named) is not None


def vouch(by: SigningKey, scope: str, participant: str, public_key: bytes) -> bytes:
    """The proof, 64 bytes. scope: `Topics.scope`. public_key: of the participant, which is to be enrolled."""
    return by.sign(_statement(scope, participant, public_key))


def is_vouched(named: str, proof: bytes, scope: str, participant: str, public_key: bytes) -> bool:
    """Whether who is named, in its public form, vouches for the key. Never raises."""
    return is_public_form(named) and verify(bytes.fromhex(named), proof, _statement(scope, participant, public_key))


def _statement(scope: str, participant: str, public_key: bytes) -> bytes:
    return f"fluvial enrolment\n{scope}\n{participant}\n{public_key.hex()}\n".encode()
