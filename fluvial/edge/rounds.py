"""Following rounds: which one is open, believed for the aggregator's signature.

Rounds only move forward. A record of an earlier round or attempt than one already seen is skipped, so a copy of an old
record, genuinely signed, takes nobody back.
"""

import logging

from fluvial.identity.envelope import unseal
from fluvial.identity.federation import Federation
from fluvial.kafka import Message, Transport, read_to_end
from fluvial.wire.errors import FluvialError
from fluvial.wire.records import Round, RoundStatus

_LOGGER = logging.getLogger(__name__)


class RoundFollower:
    """The newest round of each task, read from the beginning of the compacted topic `rounds`."""

    def __init__(self, transport: Transport, federation: Federation) -> None:
        self._aggregator_key = bytes.fromhex(federation.aggregator_key)
        self._reader = transport.read(federation.topics.rounds)
        self._newest: dict[str, Round] = {}

    def refresh(self, timeout: float = 30.0) -> None:
        """Reads what was there when the follower was opened. Raises TransportUnavailable."""
        for message in read_to_end(self._reader, timeout):
            self._take(message)

    def poll(self, timeout: float) -> list[Round]:
        """What has arrived: the newest round of each task that moved on."""
        moved = {record.task: record for message in self._reader.poll(timeout) if (record := self._take(message))}
        return list(moved.values())

    def newest(self, task: str) -> Round | None:
        """The task's newest round, open or finished."""
        return self._newest.get(task)

    def all_newest(self) -> list[Round]:
        """The newest round of every task, by task."""
        return [self._newest[task] for task in sorted(self._newest)]

    def close(self) -> None:
        """Closes the reader."""
        self._reader.close()

    def _take(self, message: Message) -> Round | None:
        if message.value is None:
            return None
        try:
            record = unseal(message.value, Round, self._aggregator_key)
        except FluvialError as error:
            _LOGGER.warning(
                "round record at partition %d, offset %d ignored: %s", message.partition, message.offset, error
            )
            return None
        known = self._newest.get(record.task)
        if known is not None and _place(record) <= _place(known):
            return None
        self._newest[record.task] = record
        return record


def _place(record: Round) -> tuple[int, int, bool]:
    """Order of a task's rounds; the end of a task comes after its last round, whatever number the record bears."""
    return record.round, record.attempt, record.status is RoundStatus.FINISHED
