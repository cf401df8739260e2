"""Proof that a stage wrote a record: what stages read of one another is not signed, and whoever may write to the
brokers could otherwise write it too.

HMAC-SHA256 (RFC 2104) as the header `fluvial-mac`, by a key that all stages of a federation share. It covers the record
as a sink frame (`pipelines.flink.frames`): topic, key, the other headers that begin with `fluvial-`, value, where no
value is an empty one; the place in the log is the broker's to give. The sink adds it and the source drops what lacks it
(`org.fluvial.flink.StageMac`), so stages do not see it; here is what reads and writes such topics without Flink. Which
topics these are says `pipelines.topology.PROVEN`.

The key's file holds a secret of 32 bytes in hexadecimal and, after a space, the time in milliseconds at which it was
made; the key is derived from the secret (HKDF-Expand, RFC 5869), which so serves other purposes too. What the broker
had before that time needs no proof: the topics of a federation that is older than its key.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fluvial.wire.files import write_private
from fluvial.wire.foreign_text import logger
from pipelines.flink.frames import SourceRecord, sink_frame

FILE = "stages.key"
"""Name of the key's file in the folder of keys."""

HEADER = "fluvial-mac"

_COVERED = "fluvial-"
_SECRET_BYTES = 32
_PURPOSE = b"fluvial stage mac v1"

_log = logger(__name__)


class StageMac:
    """Makes and checks the proofs of a federation. since_ms: broker time before which records need none."""

    def __init__(self, secret: bytes, since_ms: int = 0) -> None:
        self._key = derived_key(secret, _PURPOSE)
        self._since_ms = since_ms

    @classmethod
    def load(cls, folder: Path) -> StageMac:
        """From the file in a folder of keys. Raises ValueError when it holds something else, FileNotFoundError."""
        return cls(*read_secret(folder))

    def header(
        self, topic: str, key: bytes | None, value: bytes, headers: Sequence[tuple[str, bytes]] = ()
    ) -> tuple[str, bytes]:
        """The header that proves a record of this topic (full name) with these other headers."""
        return HEADER, self._mac(topic, key, value, headers)

    def proves(self, topic: str, record: SourceRecord) -> bool:
        """Whether a stage wrote this record, read with its headers, or the broker had it before there was a key."""
        if record.timestamp_ms < self._since_ms:
            return True
        found = dict(record.headers).get(HEADER)
        return found is not None and hmac.compare_digest(
            found, self._mac(topic, record.key, record.value, record.headers)
        )

    def proven(self, topic: str, records: Iterable[SourceRecord]) -> Iterator[SourceRecord]:
        """Those of the records that a stage wrote. How many it did not write is told at the end."""
        forged = 0
        for record in records:
            if self.proves(topic, record):
                yield record
            else:
                forged += 1
        if forged:
            _log.warning("%d records of %s were written by no stage and were skipped", forged, topic)

    def _mac(self, topic: str, key: bytes | None, value: bytes, headers: Sequence[tuple[str, bytes]]) -> bytes:
        covered = [header for header in headers if header[0].startswith(_COVERED) and header[0] != HEADER]
        return hmac.digest(self._key, sink_frame(topic, key, value, covered), "sha256")


def derived_key(secret: bytes, purpose: bytes) -> bytes:
    """HKDF-Expand with SHA-256 (RFC 5869, section 2.3), 32 bytes. secret: random, so that nothing need be extracted.
    purpose: its own for each use."""
    return hmac.digest(secret, purpose + b"\x01", "sha256")


def read_secret(folder: Path) -> tuple[bytes, int]:
    """The secret in a folder of keys, and when it was made, in milliseconds."""
    path = folder / FILE
    words = path.read_text().split()
    try:
        secret, since_ms = bytes.fromhex(words[0]), int(words[1])
    except (ValueError, IndexError):
        secret, since_ms = b"", 0
    if len(secret) != _SECRET_BYTES or len(words) != 2:
        raise ValueError(f"{path} holds no key of stages: 64 hexadecimal digits and a time")
    return secret, since_ms


def make_secret(folder: Path, *, anew: bool = False, is_first: bool = False) -> None:
    """Make the file, readable by its owner alone, unless it is there. anew: also in place of one. is_first: no
    federation of these keys is older, so all that is written needs a proof; else this host's clock decides, and where
    that is ahead of the brokers' for so long nothing does."""
    path = folder / FILE
    if path.exists() and not anew:
        return
    since_ms = 0 if is_first and not anew else int(time.time() * 1000)
    write_private(path, f"{secrets.token_hex(_SECRET_BYTES)} {since_ms}\n".encode())
