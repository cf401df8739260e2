"""One version of a record of the contract."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a record: what its bytes look like."""

    record: type
    number: int
    """From 1."""
    fingerprint: bytes
    """CRC-64-AVRO of the schema's canonical form, 8 bytes little-endian, as in single-object headers."""
    sha256: str
    """SHA-256 of the schema's text, hexadecimal: the fingerprint is no collision-resistant hash."""
    schema: str
    """The schema, JSON."""

    def __str__(self) -> str:
        return f"{self.record.__name__} {self.number}"
