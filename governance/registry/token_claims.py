"""Whose a shown enrolment token is.

A token of the first release travels in clear, so whoever reads the topic has it as soon as it is shown. It is
therefore the key's that showed it first, in a request that this key has signed: refused for another reason, it is still
its owner's. Others are named by their public half and proven (`fluvial.identity.vouching`); what is not proven is not
noted here. A token is shown where it is known; so the claims are a function of the log.
"""

from __future__ import annotations


class TokenClaims:
    """The public keys (32 bytes) that have shown tokens, by the tokens' SHA-256."""

    def __init__(self) -> None:
        self._keys: dict[bytes, bytes] = {}

    def claim(self, token_sha256: bytes, public_key: bytes) -> bool:
        """Whether the token is this key's, which it is if no other has shown it before."""
        return self._keys.setdefault(token_sha256, public_key) == public_key
