"""The verified registry, the rounds and the variants, as validation sees them.

Every record is verified when it enters, and takes nobody back (`fluvial.registry`): a lookup never returns anything
that its signer was not entitled to sign, nor what has been replaced. One for a process: whichever subtask hears of a
record first tells all. Pure, and in memory alone.

Of a task whose rounds take updates of earlier ones, the last `max_staleness` rounds are remembered too. The topic is
compacted, so who starts may know the newest round alone; updates of earlier ones are then stale.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Protocol

from fluvial.identity.envelope import unseal
from fluvial.registry.rounds import NewestRounds, place
from fluvial.registry.view import VerifiedRegistry
from fluvial.wire.records import Agreement, EnrolmentToken, Participant, Round, Task, Variant
from fluvial.wire.topics import Topics


class Keys(Protocol):
    """What is used of `pipelines.config.Settings`: public keys, lower-case hexadecimal, and the topics' scope."""

    @property
    def operator_key(self) -> str: ...
    @property
    def registrar_key(self) -> str: ...
    @property
    def aggregator_key(self) -> str: ...
    @property
    def topics(self) -> Topics: ...


class TrustedRecords:
    """Answers the lookups of `governance.admission` and of `governance.registry.enrolment`. Safe to use from
    several threads."""

    def __init__(self, *, operator_key: bytes, registrar_key: bytes, aggregator_key: bytes, scope: str = "") -> None:
        self._aggregator_key, self._scope = aggregator_key, scope
        self._registry = VerifiedRegistry(operator_key, registrar_key, scope)
        self._newest = NewestRounds(aggregator_key, scope)
        self._slots: dict[tuple[str, int], Round] = {}
        self._artefacts: dict[tuple[str, int, str], bytes] = {}
        self._lock = threading.Lock()
        self.num_rounds = 0
        """Counts the rounds that have begun or ended."""

    @classmethod
    def of(cls, keys: Keys) -> TrustedRecords:
        """Empty, for a federation with these keys."""
        return cls(
            operator_key=bytes.fromhex(keys.operator_key),
            registrar_key=bytes.fromhex(keys.registrar_key),
            aggregator_key=bytes.fromhex(keys.aggregator_key),
            scope=keys.topics.scope,
        )

    @property
    def num_changes(self) -> int:
        """Counts what has become known: who waits for something need not look again before it moves."""
        return self._registry.num_changes + self.num_rounds + len(self._artefacts)

    def apply_registry(self, key: str, raw: bytes) -> bool:
        """Take in a record of topic registry. Whether it changes anything.

        Raises FluvialError when it is not what its key says, or not signed by who may sign it.
        """
        with self._lock:
            return self._registry.apply(key, raw)

    def registry_record(self, key: str) -> bytes | None:
        """The bytes of the record that is in force under a key of the registry."""
        return self._registry.in_force(key)

    def apply_round(self, raw: bytes) -> bool:
        """Take in a record of topic rounds, signed by the aggregator. Whether it changes anything: a copy of a former
        round does not. Raises FluvialError when the aggregator has not signed it."""
        record = unseal(raw, Round, self._aggregator_key, self._scope)
        with self._lock:
            is_newest = self._newest.take(record)
            slot = _slot(record.task, record.round, record.max_staleness)
            known = self._slots.get(slot)
            if known is not None and place(record) <= place(known):
                return False
            self._slots[slot] = replace(record, base_chunks=(), optimizer_chunks=())
            self.num_rounds += is_newest
            return True

    def apply_variant(self, raw: bytes) -> bool:
        """Take in a record of topic variants, signed by the aggregator; of a variant that comes again the first stands.
        Whether it changes anything. Raises FluvialError when the aggregator has not signed it."""
        variant = unseal(raw, Variant, self._aggregator_key, self._scope)
        place = variant.task, variant.version, variant.name
        with self._lock:
            if place in self._artefacts:
                return False
            self._artefacts[place] = b"" if variant.failure else variant.artefact_sha256
            return True

    def artefact(self, task: str, version: int, variant: str) -> bytes | None:
        """SHA-256 of a variant's artefact; empty of one that could not be built."""
        return self._artefacts.get((task, version, variant))

    def participant(self, participant: str) -> Participant | None:
        return self._registry.participant(participant)

    def is_revoked(self, participant: str, public_key: bytes) -> bool:
        return self._registry.is_revoked(participant, public_key)

    def agreement(self, agreement: str) -> Agreement | None:
        return self._registry.agreement(agreement)

    def agreement_sha(self, agreement: str) -> bytes | None:
        """SHA-256 of the agreement's signed payload: what a participant signs."""
        return self._registry.agreement_sha(agreement)

    def token(self, token_sha256: bytes) -> EnrolmentToken | None:
        return self._registry.token(token_sha256)

    def task(self, task: str) -> Task | None:
        return self._registry.task(task)

    def current(self, task: str) -> Round | None:
        """The newest round of the task that is heard of."""
        return self._newest.newest(task)

    def opened(self, task: str, round_number: int) -> Round | None:
        """The last attempt heard of that round, which is the newest or at most its `max_staleness` rounds older; the
        references to its model's chunks are left out."""
        newest = self._newest.newest(task)
        if newest is None or not newest.round - newest.max_staleness <= round_number <= newest.round:
            return None
        record = self._slots.get(_slot(task, round_number, newest.max_staleness))
        return record if record is not None and record.round == round_number else None


def _slot(task: str, round_number: int, max_staleness: int) -> tuple[str, int]:
    """Where a round is kept: one place for each task, and one more for each round that updates may lag behind."""
    return task, round_number % (max_staleness + 1)
