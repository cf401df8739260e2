"""The registry as an edge device sees it: a view of the topic `registry`, verified, that only moves forward."""

from contextlib import closing
from dataclasses import dataclass

from fluvial.identity.federation import Federation
from fluvial.kafka import Transport, read_to_end
from fluvial.registry.reading import empty_view, take, tally
from fluvial.wire.records import Agreement, Participant, Task

_SHOWN_TASKS = 8


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
        self._reader = transport.read(federation.topics.registry)
        self._verified, self._skipped = empty_view(federation), tally()

    def refresh(self, timeout: float = 30.0) -> None:
        """Reads what was there when the view was opened. Raises TransportUnavailable."""
        for message in read_to_end(self._reader, timeout):
            take(self._verified, message, self._skipped)

    def poll(self, timeout: float) -> None:
        """Takes in what has arrived."""
        for message in self._reader.poll(timeout):
            take(self._verified, message, self._skipped)

    def terms(self, name: str) -> Terms | None:
        """An agreement by its name."""
        agreement, sha256 = self._verified.agreement(name), self._verified.agreement_sha(name)
        return None if agreement is None or sha256 is None else Terms(agreement=agreement, sha256=sha256)

    def task(self, name: str) -> Task | None:
        """A task by its name."""
        return self._verified.task(name)

    def existing_task(self, name: str) -> Task:
        """A task by its name. Raises ValueError where there is none, with those that there are."""
        task = self.task(name)
        if task is None:
            names = [each.task for each in self.tasks()]
            known = ", ".join([*names[:_SHOWN_TASKS], *(["..."] if names[_SHOWN_TASKS:] else [])]) or "none yet"
            raise ValueError(f"the registry has no task {name!r} signed by the operator; there are: {known}")
        return task

    def tasks(self) -> list[Task]:
        """All tasks, by name."""
        return self._verified.tasks()

    def participant(self, name: str) -> Participant | None:
        """An enrolled or revoked participant by its name."""
        return self._verified.participant(name)

    def participants(self) -> list[Participant]:
        """All participants, enrolled or revoked, by name."""
        return self._verified.participants()

    def close(self) -> None:
        """Closes the reader."""
        self._reader.close()


def existing_task(transport: Transport, federation: Federation, name: str) -> Task:
    """A task as the registry has it now. Raises ValueError where there is none, TransportUnavailable."""
    with closing(Registry(transport, federation)) as registry:
        registry.refresh()
        return registry.existing_task(name)
