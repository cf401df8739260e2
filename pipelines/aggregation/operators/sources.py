"""Topics of aggregation as messages: rounds, accepted updates."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from pyflink.datastream import FlatMapFunction, MapFunction

from fluvial.identity.envelope import unseal
from fluvial.wire.errors import FluvialError
from fluvial.wire.framing import encode
from fluvial.wire.records import Round
from pipelines.config import Settings
from pipelines.flink.frames import parse_source
from pipelines.flink.messages import pack

_log = logging.getLogger(__name__)


class RoundToMessage(FlatMapFunction):
    """Records of topic rounds, verified, for the window of their task."""

    def __init__(self, settings: Settings) -> None:
        self._aggregator_key = bytes.fromhex(settings.aggregator_key)

    def flat_map(self, value: bytes) -> Iterator[bytes]:
        record = parse_source(bytes(value))
        try:
            round_ = unseal(record.value, Round, self._aggregator_key)
        except FluvialError as error:
            _log.warning("rounds/%d@%d is not trusted: %s", record.partition, record.offset, error)
            return
        yield pack(round_.task, "round", [encode(round_)])


class AcceptedToMessage(MapFunction):
    """Records of topic accepted, whose key is their task, for its window."""

    def map(self, value: bytes) -> bytes:
        record = parse_source(bytes(value))
        return pack((record.key or b"").decode(), "accepted", [record.value])
