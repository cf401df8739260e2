"""Following the sums that a region's aggregation publishes, believed for its signature."""

from __future__ import annotations

from fluvial.identity.envelope import unseal
from fluvial.identity.federation import Federation
from fluvial.kafka import Message, Transport, read_to_end
from fluvial.wire.errors import FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.records import ModelManifest
from fluvial.wire.tally import Tally

_LOGGER = logger(__name__)


class SumFollower:
    """The newest partial sum of a task in the topic `models`."""

    def __init__(self, transport: Transport, federation: Federation, task: str) -> None:
        self._aggregator_key, self._scope = bytes.fromhex(federation.aggregator_key), federation.topics.scope
        self._task = task
        self._reader = transport.read(federation.topics.models)
        self._skipped = Tally(_LOGGER)
        self.newest: ModelManifest | None = None

    def refresh(self, timeout: float = 30.0) -> None:
        """Reads what was there when the follower was opened. Raises TransportUnavailable."""
        for message in read_to_end(self._reader, timeout):
            self._take(message)

    def poll(self, timeout: float) -> None:
        """Takes in what has arrived."""
        for message in self._reader.poll(timeout):
            self._take(message)

    def close(self) -> None:
        """Closes the reader."""
        self._reader.close()

    def _take(self, message: Message) -> None:
        if message.value is None or (message.key or b"").decode(errors="replace").rpartition("/")[0] != self._task:
            return
        try:
            manifest = unseal(message.value, ModelManifest, self._aggregator_key, self._scope)
        except FluvialError as error:
            self._skipped.add(f"models/{message.partition}@{message.offset}", str(error))
            return
        newer = self.newest is None or manifest.round >= self.newest.round
        if manifest.partial and manifest.task == self._task and newer:
            self.newest = manifest
