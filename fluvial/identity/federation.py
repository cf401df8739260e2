"""What a party needs to take part in a federation, as one JSON file: where the brokers are and whose keys to trust.

The file goes to participants and auditors out of band, like a token: whoever can change it, can change whom they trust.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fluvial.identity.brokers import Brokers, Security
from fluvial.wire.files import read_text, replace_file
from fluvial.wire.topics import Topics
from fluvial.wire.wrong_fields import in_words

PublicKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="Ed25519 public key, lower-case hexadecimal.")]


FederationId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="32 hexadecimal digits.")]


class Federation(BaseModel):
    """Brokers, topics and trusted keys of a federation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap_servers: str
    federation_id: FederationId | None = Field(
        default=None,
        description="Drawn when the topics were made, part of what is signed. None: the first release began it.",
    )
    topic_prefix: str = "fluvial."
    partitions: int = Field(default=4, ge=1, description="Partitions of update-blobs and model-blobs.")
    operator_key: PublicKey
    registrar_key: PublicKey
    aggregator_key: PublicKey
    log_key: str = Field(description="Verifier key of the audit log (C2SP signed-note): name+hash+key.")
    security: Security = Security()

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
        try:
            federation = cls.model_validate_json(read_text(Path(path)))
        except ValidationError as error:
            raise ValueError(in_words(error, "file")) from error
        security = federation.security.relative_to(Path(path).absolute().parent)
        return federation.model_copy(update={"security": security})

    def save(self, path: Path) -> None:
        """Write the file, as a whole or not at all. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        # The first release refuses a file with a field that it does not know.
        replace_file(path, self.model_dump_json(indent=2, exclude_none=True) + "\n")
