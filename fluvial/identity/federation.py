"""What a party needs to take part in a federation, as one JSON file: where the brokers are and whose keys to trust.

The file goes to participants and auditors out of band, like a token: whoever can change it, can change whom they trust.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from fluvial.identity.brokers import PLAIN, Brokers, Security
from fluvial.wire.files import at_home, read_text, replace_file
from fluvial.wire.plain_fields import document_of, read_fields
from fluvial.wire.topics import Topics

_KEY = re.compile(r"[0-9a-f]{64}")
_PREFIX = re.compile(r"[A-Za-z0-9._-]{0,200}")
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Federation:
    """Brokers, topics and trusted keys of a federation.

    federation_id: drawn when the topics were made, part of what is signed; None: the first release began it.
    partitions: of update-blobs and model-blobs. operator_key, registrar_key, aggregator_key: Ed25519 public keys,
    lower-case hexadecimal. log_key: verifier key of the audit log (C2SP signed-note): name+hash+key.
    """

    bootstrap_servers: str
    federation_id: str | None = None
    topic_prefix: str = "fluvial."
    partitions: int = 4
    operator_key: str
    registrar_key: str
    aggregator_key: str
    log_key: str
    security: Security = PLAIN

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if self.federation_id is not None and _ID.fullmatch(self.federation_id) is None:
            raise ValueError(f"federation_id: must be 32 hexadecimal digits, not {self.federation_id!r:.80}")
        if not self.bootstrap_servers.strip(" ,"):
            raise ValueError("bootstrap_servers: names no broker, as host:port")
        if _PREFIX.fullmatch(self.topic_prefix) is None:
            raise ValueError(
                f"topic_prefix: must be up to 200 of A-Z a-z 0-9 . _ -, as topics are, not {self.topic_prefix!r:.80}"
            )
        if not 1 <= self.partitions < 1 << 31:
            raise ValueError(f"partitions: must be at least 1, of 31 bits, not {self.partitions}")
        for name in ("operator_key", "registrar_key", "aggregator_key"):
            if _KEY.fullmatch(key := getattr(self, name)) is None:
                raise ValueError(f"{name}: must be an Ed25519 public key, 64 hexadecimal digits, not {key!r:.80}")

    @property
    def brokers(self) -> Brokers:
        """Where they are and how to reach them: what clients are made from."""
        return Brokers(bootstrap_servers=self.bootstrap_servers, security=self.security)

    @property
    def topics(self) -> Topics:
        return Topics(self.topic_prefix, self.federation_id or "")

    @classmethod
    def load(cls, path: Path) -> Federation:
        """The files that it names relatively lie beside it: so a folder with all of them can be handed out.

        Raises OSError, or ValueError that names what is wrong.
        """
        path = at_home(path)
        federation = cls.from_json(read_text(path))
        security = federation.security.relative_to(path.absolute().parent)
        return replace(federation, security=security)

    @classmethod
    def from_json(cls, text: str) -> Federation:
        """What `to_json` gives. Raises ValueError that names what is wrong."""
        return read_fields(cls, text, "file")

    def to_json(self) -> str:
        """The file's content. The first release refuses one with a field that it does not know, null or not."""
        return json.dumps(document_of(self), indent=2, ensure_ascii=False) + "\n"

    def save(self, path: Path) -> None:
        """Write the file, as a whole or not at all. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, self.to_json())
