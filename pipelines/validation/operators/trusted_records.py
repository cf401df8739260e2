"""What the operators of validation share: the broadcast registry and rounds, and how they reach them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedBroadcastProcessFunction, MapFunction
from pyflink.datastream.state import MapStateDescriptor

from fluvial.wire.errors import FluvialError
from governance.admission import gate
from pipelines.config import Settings
from pipelines.flink.frames import SourceRecord, parse_source
from pipelines.flink.messages import pack, unpack
from pipelines.validation.trusted_records import TrustedRecords

TRUSTED = MapStateDescriptor("trusted", Types.STRING(), Types.PICKLED_BYTE_ARRAY())

_log = logging.getLogger(__name__)


def source_of(record: SourceRecord, topic: str) -> gate.Source:
    """The record's place in the log, for a verdict."""
    return gate.Source(
        topic=topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp_ms,
        key=record.key,
    )


def now_ms() -> int:
    """The wall clock, which tests replace."""
    return int(time.time() * 1000)


class Mark(MapFunction):
    """Source frames with the name of their topic: registry and rounds share one broadcast stream."""

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def map(self, value: bytes) -> bytes:
        return pack("", self._topic, [bytes(value)])


class WithTrustedRecords(KeyedBroadcastProcessFunction):
    """Keeps the verified registry and rounds: in broadcast state, mirrored in memory for speed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, ctx: Any) -> None:
        self._mirror: TrustedRecords | None = None
        self._started_ms = now_ms()

    def process_broadcast_element(self, value: bytes, ctx: Any) -> Iterator[Any]:
        state = ctx.get_broadcast_state(TRUSTED)
        trusted = self._trusted(state)
        _, kind, parts = unpack(bytes(value))
        record = parse_source(parts[0])
        try:
            if kind == "registry":
                kept = trusted.apply_registry((record.key or b"").decode(), record.value)
            else:
                kept = trusted.apply_round(record.value)
        except (FluvialError, UnicodeDecodeError) as error:
            _log.warning("%s/%d@%d is not trusted: %s", kind, record.partition, record.offset, error)
        else:
            if kept is not None:
                state.put(kept, record.value)
        return iter(())

    def refuse_at_ms(self, at_ms: int) -> int:
        """Until when a record that arrives at this time may wait for what is not heard of. After a start without state
        the registry may not have been read to its end, so nothing is refused for being unknown at first."""
        settings = self._settings
        return max(at_ms + settings.parking_ms, self._started_ms + settings.startup_grace_ms)

    def _trusted(self, state: Any) -> TrustedRecords:
        if self._mirror is None:
            settings = self._settings
            self._mirror = TrustedRecords(
                operator_key=bytes.fromhex(settings.operator_key),
                registrar_key=bytes.fromhex(settings.registrar_key),
                aggregator_key=bytes.fromhex(settings.aggregator_key),
            )
            for key, raw in list(state.items()):
                self._mirror.restore(key, bytes(raw))
        return self._mirror

    def _trusted_in(self, ctx: Any) -> TrustedRecords:
        return self._mirror or self._trusted(ctx.get_broadcast_state(TRUSTED))
