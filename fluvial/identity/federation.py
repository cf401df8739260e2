"""What a party needs to take part in a federation, as one JSON file: where the brokers are and whose keys to trust.

The file goes to participants and auditors out of band, like a token: whoever can change it, can change whom they trust.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from fluvial.wire.topics import Topics

PublicKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="Ed25519 public key, lower-case hexadecimal.")]


class Security(BaseModel):
    """How the brokers are reached. Files are PEM; the password's file holds the password alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL"] = "PLAINTEXT"
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    sasl_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password_file: Path | None = None


class Federation(BaseModel):
    """Brokers, topics and trusted keys of a federation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap_servers: str
    topic_prefix: str = "fluvial."
    partitions: int = Field(default=4, ge=1, description="Partitions of update-blobs and model-blobs.")
    operator_key: PublicKey
    registrar_key: PublicKey
    aggregator_key: PublicKey
    log_key: str = Field(description="Verifier key of the audit log (C2SP signed-note): name+hash+key.")
    security: Security = Security()

    @property
    def topics(self) -> Topics:
        return Topics(self.topic_prefix)

    @classmethod
    def load(cls, path: Path) -> Federation:
        """Raises FileNotFoundError, or pydantic's ValidationError (a ValueError) that names what is wrong."""
        return cls.model_validate_json(Path(path).read_text())

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.model_dump_json(indent=2) + "\n")
