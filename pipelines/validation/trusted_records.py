"""The verified registry and the open rounds, as validation sees them.

Every record is verified when it enters: a lookup never returns anything that its signer was not entitled to sign.
Pure: a mirror of broadcast state, fed with the records in the order of their topics.

Of a task whose rounds take updates of earlier ones, the last `max_staleness` rounds are remembered too, each under a
key that the round `max_staleness + 1` later takes over. The topic is compacted, so a job without state may know the
newest round alone; updates of earlier ones are then stale.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from fluvial.identity.envelope import open_envelope, unseal
from fluvial.wire.records import Agreement, EnrolmentToken, Participant, ParticipantStatus, Round, RoundStatus, Task
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
        self._slots: dict[str, Round] = {}
        self.num_changes = 0
        """Counts what has become known: who waits for something need not look again before it moves."""
        self.num_rounds = 0
        """Counts the rounds that have begun or ended."""

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
        self.num_changes += 1
        return key

    def apply_round(self, raw: bytes) -> str:
        """Take in a record of topic rounds, signed by the aggregator. Returns the key to keep it under."""
        record = unseal(raw, Round, self._aggregator_key)
        self._rounds[record.task] = record
        return self._keep(record)

    def _keep(self, record: Round) -> str:
        slot = _slot(record.task, record.round, record.max_staleness)
        self._slots[slot] = replace(record, base_chunks=(), optimizer_chunks=())
        self.num_changes += 1
        self.num_rounds += 1
        return slot

    def restore(self, key: str, raw: bytes) -> None:
        """Take in again what was kept under `key`."""
        if key.startswith(_ROUND_KEY):
            record = unseal(raw, Round, self._aggregator_key)
            newest = self._rounds.get(record.task)
            if newest is None or _place(record) > _place(newest):
                self._rounds[record.task] = record
            self._keep(record)
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

    def opened(self, task: str, round_number: int) -> Round | None:
        """The last attempt heard of that round, which is the newest or at most its `max_staleness` rounds older; the
        references to its model's chunks are left out."""
        newest = self._rounds.get(task)
        if newest is None or not newest.round - newest.max_staleness <= round_number <= newest.round:
            return None
        record = self._slots.get(_slot(task, round_number, newest.max_staleness))
        return record if record is not None and record.round == round_number else None


def _slot(task: str, round_number: int, max_staleness: int) -> str:
    """Where a round is kept: one place for each task, and one more for each round that updates may lag behind."""
    if not max_staleness:
        return _ROUND_KEY + task
    return f"{_ROUND_KEY}{task}/{round_number % (max_staleness + 1)}"


def _place(record: Round) -> tuple[int, int, bool]:
    """Order of a task's rounds; the end of a task comes after its last round."""
    return record.round, record.attempt, record.status is RoundStatus.FINISHED
