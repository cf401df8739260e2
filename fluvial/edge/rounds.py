"""Following rounds: which one is open (`fluvial.registry.rounds`)."""

from fluvial.identity.federation import Federation
from fluvial.kafka import Message, Transport, read_to_end
from fluvial.registry.rounds import NewestRounds
from fluvial.wire.errors import FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.records import Round
from fluvial.wire.tally import Tally

_LOGGER = logger(__name__)


class RoundFollower:
    """The newest round of each task, read from the beginning of the compacted topic `rounds`."""

    def __init__(self, transport: Transport, federation: Federation) -> None:
        self._rounds = NewestRounds(bytes.fromhex(federation.aggregator_key), federation.topics.scope)
        self._reader = transport.read(federation.topics.rounds)
        self._skipped = Tally(_LOGGER)

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
        return self._rounds.newest(task)

    def all_newest(self) -> list[Round]:
        """The newest round of every task, by task."""
        return self._rounds.all_newest()

    def close(self) -> None:
        """Closes the reader."""
        self._reader.close()

    def _take(self, message: Message) -> Round | None:
        if message.value is None:
            return None
        try:
            return self._rounds.apply(message.value)
        except FluvialError as error:
            self._skipped.add(f"rounds/{message.partition}@{message.offset}", str(error))
            return None
