"""The registry as an edge device sees it: agreements, tasks and participants, each believed for its signature alone.

A record that does not verify is skipped, so that it cannot hide the genuine one before it. A record counts only under
its own name: a genuine agreement copied to another key does not become that other agreement.
"""

import hashlib
import logging
from dataclasses import dataclass

from fluvial.identity.envelope import open_envelope, unseal
from fluvial.identity.federation import Federation
from fluvial.kafka import Message, Transport, read_to_end
from fluvial.wire.errors import FluvialError
from fluvial.wire.records import Agreement, Participant, ParticipantStatus, Task

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """An agreement.

    Sha256: of the payload that the operator signed, 32 bytes; what a participant includes in its enrolment.
    """

    agreement: Agreement
    sha256: bytes


class Registry:
    """A view of the topic `registry` that grows with `refresh` and `poll`."""

    def __init__(self, transport: Transport, federation: Federation) -> None:
        self._federation = federation
        self._reader = transport.read(federation.topics.registry)
        self._terms: dict[str, Terms] = {}
        self._tasks: dict[str, Task] = {}
        self._participants: dict[str, Participant] = {}

    def refresh(self, timeout: float = 30.0) -> None:
        """Reads what was there when the view was opened. Raises TransportUnavailable."""
        for message in read_to_end(self._reader, timeout):
            self._take(message)

    def poll(self, timeout: float) -> None:
        """Takes in what has arrived."""
        for message in self._reader.poll(timeout):
            self._take(message)

    def terms(self, name: str) -> Terms | None:
        """An agreement by its name."""
        return self._terms.get(name)

    def task(self, name: str) -> Task | None:
        """A task by its name."""
        return self._tasks.get(name)

    def tasks(self) -> list[Task]:
        """All tasks, by name."""
        return [self._tasks[name] for name in sorted(self._tasks)]

    def participant(self, name: str) -> Participant | None:
        """An enrolled or revoked participant by its name."""
        return self._participants.get(name)

    def participants(self) -> list[Participant]:
        """All participants, enrolled or revoked, by name."""
        return [self._participants[name] for name in sorted(self._participants)]

    def close(self) -> None:
        """Closes the reader."""
        self._reader.close()

    def _take(self, message: Message) -> None:
        kind, _, name = (message.key or b"").decode(errors="replace").partition("/")
        try:
            if message.value is None:
                self._remove(kind, name)
            else:
                self._put(kind, name, message.value)
        except FluvialError as error:
            _LOGGER.warning("registry record %s/%s at offset %d ignored: %s", kind, name, message.offset, error)

    def _put(self, kind: str, name: str, value: bytes) -> None:
        operator_key = bytes.fromhex(self._federation.operator_key)
        if kind == "agreement":
            agreement = unseal(value, Agreement, operator_key)
            if agreement.agreement == name:
                sha256 = hashlib.sha256(open_envelope(value).payload).digest()
                self._terms[name] = Terms(agreement=agreement, sha256=sha256)
        elif kind == "task":
            task = unseal(value, Task, operator_key)
            if task.task == name:
                self._tasks[name] = task
        elif kind == "participant":
            participant = self._unseal_participant(value)
            if participant.participant == name:
                self._participants[name] = participant

    def _unseal_participant(self, value: bytes) -> Participant:
        """Signed by the registrar, or by the operator, who may only revoke."""
        try:
            return unseal(value, Participant, bytes.fromhex(self._federation.registrar_key))
        except FluvialError:
            participant = unseal(value, Participant, bytes.fromhex(self._federation.operator_key))
            if participant.status is not ParticipantStatus.REVOKED:
                raise
            return participant

    def _remove(self, kind: str, name: str) -> None:
        """A tombstone is not signed: it may withdraw an offer, but neither a participant nor its revocation."""
        if kind == "agreement":
            self._terms.pop(name, None)
        elif kind == "task":
            self._tasks.pop(name, None)
