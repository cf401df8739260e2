"""Topics of aggregation as messages: rounds, accepted updates."""

from __future__ import annotations

from collections.abc import Iterator

from pyflink.datastream import FlatMapFunction

from fluvial.identity.envelope import unseal
from fluvial.wire.errors import FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import AcceptedUpdate, Round
from fluvial.wire.tally import Tally
from pipelines.config import Settings
from pipelines.flink.frames import parse_source
from pipelines.flink.messages import pack

_log = logger(__name__)


class RoundToMessage(FlatMapFunction):
    """Records of topic rounds, verified, for the window of their task."""

    def __init__(self, settings: Settings) -> None:
        self._aggregator_key, self._scope = bytes.fromhex(settings.aggregator_key), settings.topics.scope
        self._skipped = Tally(_log)

    def flat_map(self, value: bytes) -> Iterator[bytes]:
        record = parse_source(bytes(value))
        try:
            round_ = unseal(record.value, Round, self._aggregator_key, self._scope)
        except FluvialError as error:
            self._skipped.add(f"rounds/{record.partition}@{record.offset}", str(error))
            return
        yield pack(round_.task, "round", [encode(round_)])


class AcceptedToMessage(FlatMapFunction):
    """Records of topic accepted, for the window of their task. What is none is skipped and told."""

    def __init__(self) -> None:
        self._skipped = Tally(_log)

    def flat_map(self, value: bytes) -> Iterator[bytes]:
        record = parse_source(bytes(value))
        try:
            update = decode(record.value, AcceptedUpdate)
        except FluvialError as error:
            self._skipped.add(f"accepted/{record.partition}@{record.offset}", str(error))
            return
        yield pack(update.task, "accepted", [record.value])
