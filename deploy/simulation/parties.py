"""Who signs what in a simulated federation, and what the gate therefore believes.

Keys follow from a seed, so that two simulations of the same seed have the same records, to the byte. They protect
nothing, and never leave the process.
"""

from __future__ import annotations

from hashlib import sha256

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.registry.records import registry_key
from fluvial.wire.records import (
    Agreement,
    DeviceProfile,
    Participant,
    ParticipantStatus,
    Round,
    SignedAgreement,
    Task,
)
from pipelines.validation.trusted_records import TrustedRecords

_FOR_EVER_MS = 1 << 60
_DEVICE = DeviceProfile(platform="simulated", machine="", memory_bytes=0, accelerator="", network="")


class Parties:
    """The keys of operator, registrar, aggregator and participants, and the records that they have signed. scope: what
    these name (`Topics.scope`); that of a federation whose updates are given to the server."""

    def __init__(self, seed: int, scope: str = "") -> None:
        self._seed, self.scope = seed, scope
        operator, registrar, aggregator = map(self.key, ("operator", "registrar", "aggregator"))
        self._operator, self._registrar, self._aggregator = operator, registrar, aggregator
        self.trusted = TrustedRecords(
            operator_key=operator.public_key,
            registrar_key=registrar.public_key,
            aggregator_key=aggregator.public_key,
            scope=scope,
        )

    def key(self, name: str) -> SigningKey:
        """The key of a party or participant of this name."""
        return SigningKey.from_seed(sha256(f"fluvial/simulation/{self._seed}/{name}".encode()).digest())

    def register_agreement(self, name: str, text: str) -> None:
        self._apply(
            Agreement(agreement=name, text=text, valid_from_ms=0, valid_until_ms=_FOR_EVER_MS),
            self._operator,
            "operator",
        )

    def register_task(self, task: Task) -> None:
        self._apply(task, self._operator, "operator")

    def enrol(self, name: str, public_key: bytes, agreement: str = "") -> None:
        """A participant who has signed the agreement, where there is one; it must be registered."""
        digest = self.trusted.agreement_sha(agreement) if agreement else None
        self._apply(
            Participant(
                participant=name,
                public_key=public_key,
                status=ParticipantStatus.ACTIVE,
                agreements=() if digest is None else (SignedAgreement(agreement=agreement, sha256=digest),),
                device=_DEVICE,
                enrolled_ms=0,
                request_sha256=bytes(32),
            ),
            self._registrar,
            "registrar",
        )

    def announce(self, round_: Round) -> None:
        self.trusted.apply_round(seal(round_, self._aggregator, "aggregator", self.scope))

    def _apply(self, record: Agreement | Task | Participant, key: SigningKey, keyid: str) -> None:
        self.trusted.apply_registry(registry_key(record), seal(record, key, keyid, self.scope))
