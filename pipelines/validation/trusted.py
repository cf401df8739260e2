"""The verified registry and the open rounds, as validation sees them.

Every record is verified when it enters: a lookup never returns anything that its signer was not entitled to sign.
Pure: a mirror of broadcast state, fed with the records in the order of their topics.
"""

from __future__ import annotations

from hashlib import sha256

from fluvial.identity.envelope import open_envelope, unseal
from fluvial.wire.records import Agreement, EnrolmentToken, Participant, ParticipantStatus, Round, Task
from governance.registry.records import open_registry_record

_ROUND_KEY = "round/"


class TrustedRecords:
    """Answers the lookups of `governance.admission.gate` and of `governance.registry.enrolment`."""

    def __init__(self, *, operator_key: bytes, registrar_key: bytes, aggregator_key: bytes) -> None:
        self._operator_key = operator_key
        self._registrar_key = registrar_key
        self._aggregator_key = aggregator_key
        self._participants: dict[str, Participant] = {}
        self._agreements: dict[str, tuple[Agreement, bytes]] = {}
        self._tokens: dict[bytes, EnrolmentToken] = {}
        self._tasks: dict[str, Task] = {}
        self._rounds: dict[str, Round] = {}

    def apply_registry(self, key: str, raw: bytes) -> str | None:
        """Take in a record of topic registry. Returns the key to keep it under, None where it changes nothing.

        Raises FluvialError when it is not what its key says, or not signed by who may sign it.
        """
        record = open_registry_record(key, raw, self._operator_key, self._registrar_key)
        match record:
            case Participant():
                known = self._participants.get(record.participant)
                revoked = known is not None and known.status is ParticipantStatus.REVOKED
                if revoked and known is not None and known.public_key == record.public_key:
                    return None
                self._participants[record.participant] = record
            case Agreement():
                self._agreements[record.agreement] = record, sha256(open_envelope(raw).payload).digest()
            case EnrolmentToken():
                self._tokens[record.token_sha256] = record
            case Task():
                self._tasks[record.task] = record
        return key

    def apply_round(self, raw: bytes) -> str:
        """Take in a record of topic rounds, signed by the aggregator. Returns the key to keep it under."""
        record = unseal(raw, Round, self._aggregator_key)
        self._rounds[record.task] = record
        return _ROUND_KEY + record.task

    def restore(self, key: str, raw: bytes) -> None:
        """Take in again what was kept under `key`."""
        if key.startswith(_ROUND_KEY):
            self.apply_round(raw)
        else:
            self.apply_registry(key, raw)

    def participant(self, participant: str) -> Participant | None:
        return self._participants.get(participant)

    def agreement(self, agreement: str) -> Agreement | None:
        entry = self._agreements.get(agreement)
        return entry[0] if entry else None

    def agreement_sha(self, agreement: str) -> bytes | None:
        """SHA-256 of the agreement's signed payload: what a participant signs."""
        entry = self._agreements.get(agreement)
        return entry[1] if entry else None

    def token(self, token_sha256: bytes) -> EnrolmentToken | None:
        return self._tokens.get(token_sha256)

    def task(self, task: str) -> Task | None:
        return self._tasks.get(task)

    def current(self, task: str) -> Round | None:
        """The newest round of the task that this subtask has heard of."""
        return self._rounds.get(task)
