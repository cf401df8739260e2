"""Keys of a federation on this machine: one file each, readable by their owner alone, made once per data directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fluvial.identity.brokers import Brokers
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.transparency.note import NoteKey
from pipelines.flink import stage_mac

LOG_ORIGIN = "fluvial.local/audit"
"""Begin of the name of the audit log, and of the key that signs its checkpoints; the federation's id follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceKeys:
    """operator signs tasks, agreements, tokens; registrar participants; aggregator rounds, models; log tree heads."""

    operator: SigningKey
    registrar: SigningKey
    aggregator: SigningKey
    log: SigningKey

    @classmethod
    def load_or_make(cls, folder: Path) -> ServiceKeys:
        """The keys in a folder, made where missing; and beside them the secret that stages share."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        stage_mac.make_secret(folder, is_first=not any(folder.glob("*.pem")))
        return cls(**{name: _load_or_make(folder / f"{name}.pem") for name in cls.__slots__})

    def federation(
        self, brokers: Brokers, *, topic_prefix: str, partitions: int, federation_id: str | None = None
    ) -> Federation:
        """What participants and auditors of this federation are given. federation_id: None for one of the first
        release."""
        origin = LOG_ORIGIN if federation_id is None else f"{LOG_ORIGIN}/{federation_id}"
        return Federation(
            federation_id=federation_id,
            bootstrap_servers=brokers.bootstrap_servers,
            security=brokers.security,
            topic_prefix=topic_prefix,
            partitions=partitions,
            operator_key=self.operator.public_key.hex(),
            registrar_key=self.registrar.public_key.hex(),
            aggregator_key=self.aggregator.public_key.hex(),
            log_key=NoteKey(name=origin, public_key=self.log.public_key).to_text(),
        )


def _load_or_make(path: Path) -> SigningKey:
    if path.exists():
        return SigningKey.load(path)
    key = SigningKey.generate()
    key.save(path)
    return key
