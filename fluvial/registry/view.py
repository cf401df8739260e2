"""The verified registry: of every record that was ever genuine, the one that is in force.

Fed with the records of topic registry, in any order and as often as they come. What is believed was signed by who may
sign it (`fluvial.registry.records`) and only moves forward (`fluvial.registry.order`); a revoked key is revoked for
ever, whatever is enrolled after it and whatever copy comes back. A tombstone, which nobody signs, says nothing: what
ends a task or an agreement is its next record. Safe to read from several threads while one applies.
"""

from __future__ import annotations

from hashlib import sha256

from fluvial.identity.envelope import open_envelope
from fluvial.registry.approval import check_approved
from fluvial.registry.order import replaces
from fluvial.registry.records import RegistryRecord, open_registry_record
from fluvial.wire.records import Agreement, EnrolmentToken, Participant, ParticipantStatus, Task


class VerifiedRegistry:
    """operator_key, registrar_key: Ed25519 public keys, 32 bytes each. scope: `Topics.scope`."""

    def __init__(self, operator_key: bytes, registrar_key: bytes, scope: str = "") -> None:
        self._keys = operator_key, registrar_key
        self._scope = scope
        self._participants: dict[str, Participant] = {}
        self._revoked: dict[str, set[bytes]] = {}
        self._agreements: dict[str, tuple[Agreement, bytes]] = {}
        self._tokens: dict[bytes, EnrolmentToken] = {}
        self._tasks: dict[str, Task] = {}
        self._raw: dict[str, bytes] = {}
        self.num_changes = 0
        """How often something has changed: who waits for something need not look again before it moves."""

    def apply(self, key: str, raw: bytes) -> bool:
        """Take in a record that stands under `key`. Whether anything changes; a copy of what is in force is told by
        its bytes, before its signature is looked at.

        Raises DecodeError, SignatureInvalid, VerificationError when it is not what its key says, or not signed by who
        may sign it, or terms that weaken a task not by as many as its terms before ask for.
        """
        if self._raw.get(key) == raw:
            return False
        record = open_registry_record(key, raw, *self._keys, self._scope)
        changes = self._apply(record, raw)
        if changes:
            self.num_changes += 1
            if self._is_in_force(record):
                self._raw[key] = raw
        return changes

    def in_force(self, key: str) -> bytes | None:
        """The bytes of the record that is in force under a key, as they were signed."""
        return self._raw.get(key)

    def participant(self, participant: str) -> Participant | None:
        """A participant by its name, active or revoked."""
        return self._participants.get(participant)

    def participants(self) -> list[Participant]:
        """All participants, by name."""
        return [self._participants[name] for name in sorted(self._participants)]

    def is_revoked(self, participant: str, public_key: bytes) -> bool:
        """Whether this key of the participant was ever revoked."""
        return public_key in self._revoked.get(participant, ())

    def agreement(self, agreement: str) -> Agreement | None:
        entry = self._agreements.get(agreement)
        return entry[0] if entry else None

    def agreement_sha(self, agreement: str) -> bytes | None:
        """SHA-256 of the agreement's signed payload: what a participant signs."""
        entry = self._agreements.get(agreement)
        return entry[1] if entry else None

    def token(self, token_sha256: bytes) -> EnrolmentToken | None:
        """A token by its SHA-256, also one that is spent (`fluvial.registry.records.is_spent`)."""
        return self._tokens.get(token_sha256)

    def task(self, task: str) -> Task | None:
        return self._tasks.get(task)

    def tasks(self) -> list[Task]:
        """All tasks, by name."""
        return [self._tasks[name] for name in sorted(self._tasks)]

    def _apply(self, record: RegistryRecord, raw: bytes) -> bool:
        match record:
            case Participant():
                return self._apply_participant(record)
            case Agreement():
                if not replaces(record, self.agreement(record.agreement)):
                    return False
                self._agreements[record.agreement] = record, sha256(open_envelope(raw).payload).digest()
            case EnrolmentToken():
                if not replaces(record, self._tokens.get(record.token_sha256)):
                    return False
                self._tokens[record.token_sha256] = record
            case Task():
                known = self.task(record.task)
                if not replaces(record, known):
                    return False
                if known is not None:
                    check_approved(known.specification, record.specification, raw)
                self._tasks[record.task] = record
        return True

    def _is_in_force(self, record: RegistryRecord) -> bool:
        """Not so a revocation of a key that another one has followed: it only takes that one from its owner."""
        return not isinstance(record, Participant) or self._participants.get(record.participant) == record

    def _apply_participant(self, record: Participant) -> bool:
        """A revocation holds for its key from now on, also where a newer key is in force."""
        revoked = self._revoked.get(record.participant, set())
        known = self._participants.get(record.participant)
        if record.status is ParticipantStatus.REVOKED:
            is_new = record.public_key not in revoked
            self._revoked[record.participant] = revoked | {record.public_key}
            in_force = known is None or known.public_key == record.public_key or replaces(record, known)
        else:
            is_new = False
            in_force = record.public_key not in revoked and replaces(record, known)
        if in_force and record != known:
            self._participants[record.participant] = record
            return True
        return is_new
