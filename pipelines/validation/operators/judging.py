"""What the operators of validation share: what is known, and the lanes of records that wait for a verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedBroadcastProcessFunction, MapFunction
from pyflink.datastream.state import MapStateDescriptor

from fluvial.wire.foreign_text import logger
from fluvial.wire.tally import Tally
from governance.admission.evidence import Evidence
from pipelines.config import Settings
from pipelines.flink.attempts import attempt_of
from pipelines.flink.bundles import parse_sources
from pipelines.flink.frames import SourceRecord, parse_source
from pipelines.flink.messages import pack, unpack
from pipelines.flink.shared import ended_with
from pipelines.validation import process
from pipelines.validation.contests import Room
from pipelines.validation.known import apply
from pipelines.validation.lanes import Lanes
from pipelines.validation.record_life import Lane
from pipelines.validation.waiting import Waiting

BYTES_BY_NAME = Types.STRING(), Types.PICKLED_BYTE_ARRAY()
NOTHING_BROADCAST = MapStateDescriptor("unused", *BYTES_BY_NAME)
"""Flink wants a state for what is broadcast. There is none: what is known is in memory, and in the log."""

_log = logger(__name__)


def now_ms() -> int:
    """The wall clock, which tests replace."""
    return int(time.time() * 1000)


class Mark(MapFunction):
    """Source frames with the name of their topic: registry, rounds and variants share one broadcast stream."""

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def map(self, value: bytes) -> bytes:
        return pack("", self._topic, [bytes(value)])


class Judging(KeyedBroadcastProcessFunction):
    """Keyed by lane of the Kafka key: one verdict for each record of an input topic, which its subclass gives as the
    desk of `pipelines.validation.record_life`. input_topic: attribute name of `Topics`."""

    def __init__(self, settings: Settings, input_topic: str) -> None:
        self._settings = settings
        self._topics = settings.topics
        self._ends: list[Callable[[], None]] = []
        self._topic: str = getattr(settings.topics, input_topic)

    def open(self, ctx: Any) -> None:
        self._process = process.acquire(self._settings, attempt_of(ctx))
        self._ends.append(ended_with(self, partial(process.release, self._settings, attempt_of(ctx))))
        self._known = self._process.known
        self._trusted, self._judged = self._known.trusted, self._known.judged
        self._skipped = Tally(_log)
        evidence, room = self._evidence(), self._room()
        self._lanes = Lanes(
            ctx.get_map_state(MapStateDescriptor("parked", *BYTES_BY_NAME)),
            lambda: Lane(self, evidence, room, lambda at_ms: at_ms + self._settings.parking_ms),
            self._has_verdict,
        )

    def close(self) -> None:
        while self._ends:
            self._ends.pop()()

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        at_ms = now_ms()
        self._begin(ctx)
        lane = self._lanes.of(ctx.get_current_key())
        lane.arrive([one for one in parse_sources(bytes(value)) if not self._is_settled(one)], at_ms)
        return self._end(ctx, at_ms)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[bytes]:
        at_ms = now_ms()
        self._begin(ctx)
        self._lanes.of(ctx.get_current_key()).look(at_ms)
        return self._end(ctx, at_ms, timestamp)

    def process_broadcast_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        _, topic, parts = unpack(bytes(value))
        record = parse_source(parts[0])
        apply(self._trusted, topic, record, self._skipped)
        self._known.heard(topic, record)
        return iter(())

    def _end(self, ctx: Any, at_ms: int, fired_ms: int = 0) -> Iterator[bytes]:
        look_at_ms = self._lanes.next_timer(ctx.get_current_key(), at_ms, fired_ms)
        if look_at_ms is not None:
            ctx.timer_service().register_processing_time_timer(look_at_ms)
        return self._results(ctx)

    def _is_settled(self, record: SourceRecord) -> bool:
        """Whether a record that arrives needs no verdict: the log has it."""
        if not self._has_verdict(record):
            return False
        self._met_again(record)
        return True

    def _has_verdict(self, record: SourceRecord) -> bool:
        return self._judged.places.holds(self._topic, record.partition, record.offset)

    # What a subclass says.

    def _evidence(self) -> Sequence[Evidence]:
        return ()

    def _room(self) -> Room:
        return Room(0)

    def _begin(self, ctx: Any) -> None:
        """A call begins; the lane in hand is Flink's current key."""

    def _met_again(self, record: SourceRecord) -> None:
        """A record that has its verdict came again, because the job started without state."""

    def _results(self, ctx: Any) -> Iterator[bytes]:
        """What the call has made."""
        raise NotImplementedError

    # The lane's desk.

    def keep(self, waiting: Waiting) -> None:
        self._lanes.keep(waiting)

    def drop(self, waiting: Waiting) -> None:
        self._lanes.drop(waiting)

    def knowledge(self) -> int:
        return self._trusted.num_changes

    def settled(self, record: SourceRecord, outcome: Any) -> None:
        """The record has its outcome."""
        raise NotImplementedError

    def has_heard(self, at_ms: int) -> bool:
        return self._process.catching_up.is_known(at_ms)
