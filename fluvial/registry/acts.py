"""What the operator of a federation does: it signs records of the registry, each newer than the one that it replaces.

    acts = OperatorActs(transport, federation, operator_key)
    acts.pause("heart", "the hospital in the north has sent wrong labels")

Participants, gate, keeper and auditors follow the registry, so an act needs no connection to any of them, and takes
hold when they read it, also after an outage. An older record, genuinely signed, never takes an act back
(`fluvial.registry.order`).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from fluvial.identity.envelope import seal
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.identity.vouching import new_token, public_form
from fluvial.kafka import Position, Transport, TransportUnavailable
from fluvial.registry.approval import check_approved, open_proposal
from fluvial.registry.order import next_version, revocation_version
from fluvial.registry.reading import read_registry
from fluvial.registry.records import RegistryRecord, registry_key
from fluvial.registry.view import VerifiedRegistry
from fluvial.wire.errors import FluvialError, VerificationError
from fluvial.wire.names import check_participant
from fluvial.wire.records import Agreement, EnrolmentToken, Participant, ParticipantStatus, Task, TaskStatus

if TYPE_CHECKING:
    from fluvial.wire.task_file import AgreementSpec

OPERATOR = "operator"
"""Name of the key that signs."""

MAX_REASON = 500
"""Characters of a reason."""

_SECONDS = 60.0
_CLOCK_MARGIN_MS = 60_000
_DAY_MS = 86_400_000
_HALTED = {
    TaskStatus.PAUSED: "paused",
    TaskStatus.FINISHED: "finished by its operator",
    TaskStatus.REMOVED: "removed, for good",
}


class ActRefused(FluvialError):
    """What stands in the registry does not allow the act; the message says why and what to do."""


class OperatorActs:
    """Acts over a connection that is there already. key: the operator's. All raise TransportUnavailable."""

    def __init__(self, transport: Transport, federation: Federation, key: SigningKey) -> None:
        self._transport, self._federation, self._key = transport, federation, key

    def registry(self) -> VerifiedRegistry:
        """The registry as it stands now."""
        return read_registry(self._transport, self._federation)

    def register(self, record: RegistryRecord) -> None:
        """Sign a record, and wait until it stands in the registry."""
        self._wait([self._send(record)])

    def agree(self, wanted: AgreementSpec | None, registry: VerifiedRegistry | None = None) -> None:
        """Register an agreement where it is missing. Raises ActRefused if there is one of that name with another
        text."""
        if wanted is None:
            return
        known = (registry or self.registry()).agreement(wanted.name)
        if known is not None:
            if known.text != wanted.text:
                raise ActRefused(f"the agreement {wanted.name} exists with another text: give yours another name")
            return
        now_ms = _now_ms()
        self.register(
            Agreement(
                agreement=wanted.name,
                text=wanted.text,
                valid_from_ms=now_ms - _CLOCK_MARGIN_MS,
                valid_until_ms=now_ms + wanted.valid_days * _DAY_MS,
            )
        )

    def issue_tokens(self, participants: list[str], *, valid_days: float = 7.0, shown: bool = False) -> dict[str, str]:
        """One-time tokens by participant, 256 bits each; only the digests of their public halves are published.
        shown: of the kind that participants of the first release show.

        Raises ValueError for a name that cannot enrol.
        """
        for participant in participants:
            check_participant(participant)
        tokens = {participant: secrets.token_urlsafe(32) if shown else new_token() for participant in participants}
        expires_ms = _now_ms() + int(valid_days * _DAY_MS)
        records = [
            EnrolmentToken(
                token_sha256=sha256(public_form(token).encode()).digest(),
                participant=participant,
                expires_ms=expires_ms,
            )
            for participant, token in tokens.items()
        ]
        self._wait([self._send(record) for record in records])
        return tokens

    def revoke(self, participant: str) -> Participant:
        """Take a participant's key out of force, for good: what it signs from now on is refused, and so is what a key
        signs that took its place meanwhile. Raises ActRefused for a name that is not enrolled, or revoked already."""
        known = self.registry().participant(participant)
        if known is None:
            raise ActRefused(f"nobody is enrolled as {participant}: names stand in `fluvial rounds invited TASK`")
        if known.status is ParticipantStatus.REVOKED:
            raise ActRefused(f"the participant {participant} is revoked already")
        revoked = replace(known, status=ParticipantStatus.REVOKED, version=revocation_version(known))
        self.register(revoked)
        self._check_in_force(revoked)
        return revoked

    def task(self, name: str) -> Task:
        """A task that may still be acted on. Raises ActRefused where there is none."""
        task = self.registry().task(name)
        if task is None:
            raise ActRefused(f"there is no task {name}: `fluvial task list` shows those that there are")
        if task.status is TaskStatus.REMOVED:
            raise ActRefused(f"the task {name} was removed, for good: create one with another name")
        return task

    def update(self, task: Task, specification: str) -> Task:
        """Register a task again with other terms, which whoever calls has checked. They hold from the next round on;
        its status stays. Raises ActRefused for terms that further operators must sign first."""
        updated = replace(task, specification=specification, version=next_version(task))
        sealed = self.propose(updated)
        try:
            check_approved(task.specification, specification, sealed)
        except VerificationError as error:
            raise ActRefused(f"{error}: write a proposal for them to sign, with --propose FILE") from error
        self.register(updated)
        self._check_in_force(updated)
        return updated

    def propose(self, task: Task) -> bytes:
        """The signed record of a task with other terms, for further operators to sign (`approval.approve`)."""
        return seal(task, self._key, OPERATOR, self._federation.topics.scope)

    def register_approved(self, sealed: bytes) -> Task:
        """Put a task's record that operators have signed into the registry. Raises ActRefused where it lacks a
        signature, or the task has gone on since, FluvialError for what is no task's record of this federation."""
        proposed = open_proposal(sealed, self._federation)
        known = self.task(proposed.task)
        try:
            check_approved(known.specification, proposed.specification, sealed)
        except VerificationError as error:
            raise ActRefused(str(error)) from error
        if proposed.version != next_version(known):
            raise ActRefused(f"the task {known.task} was registered again since this was proposed: propose it anew")
        key = registry_key(proposed).encode()
        self._wait([self._transport.produce(self._federation.topics.registry, sealed, key=key)])
        self._check_in_force(proposed)
        return proposed

    def pause(self, name: str, reason: str = "") -> Task:
        """No further round is opened; the open one ends. Raises ActRefused for a task that is halted already."""
        return self._halt(name, TaskStatus.PAUSED, reason, unless=(TaskStatus.PAUSED, TaskStatus.FINISHED))

    def resume(self, name: str) -> Task:
        """Go on with a task that was paused, or finished before its last round. Raises ActRefused for one that runs."""
        return self._halt(name, TaskStatus.RUNNING, "", unless=(TaskStatus.RUNNING,))

    def finish(self, name: str, reason: str = "") -> Task:
        """The open round is the last. Raises ActRefused for a task that is finished already."""
        return self._halt(name, TaskStatus.FINISHED, reason, unless=(TaskStatus.FINISHED,))

    def remove(self, name: str, reason: str = "") -> Task:
        """Give up the open round at once, and never open another. What is in the log stays there."""
        return self._halt(name, TaskStatus.REMOVED, reason, unless=())

    def _halt(self, name: str, status: TaskStatus, reason: str, unless: Iterable[TaskStatus]) -> Task:
        if len(reason) > MAX_REASON:
            raise ValueError(f"the reason has {len(reason)} characters, and may have {MAX_REASON}")
        task = self.task(name)
        if task.status in unless:
            raise ActRefused(f"the task {name} is {_HALTED.get(task.status, 'running')} already")
        halted = replace(task, status=status, reason=reason, version=next_version(task))
        self.register(halted)
        self._check_in_force(halted)
        return halted

    def _check_in_force(self, record: Task | Participant) -> None:
        """Of two acts that are signed at the same moment one counts, and who did the other must hear of it. Raises
        ActRefused."""
        registry, key = self.registry(), registry_key(record)
        known = registry.task(record.task) if isinstance(record, Task) else registry.participant(record.participant)
        if known is not None and known != record and known.version <= record.version:
            raise ActRefused(f"somebody else acted on {key} at the same moment, and that counts: look, and try again")

    def _send(self, record: RegistryRecord) -> Future[Position]:
        sealed = seal(record, self._key, OPERATOR, self._federation.topics.scope)
        return self._transport.produce(self._federation.topics.registry, sealed, key=registry_key(record).encode())

    def _wait(self, pending: list[Future[Position]]) -> None:
        try:
            for sent in pending:
                sent.result(_SECONDS)
        except TimeoutError as error:
            raise TransportUnavailable(f"{self._federation.topics.registry}: no acknowledgement") from error


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
