"""Flink function before the lanes: what a sender sends beyond its share goes no further.

It stands where a partition is read, in its order: so a sender has one bucket in each partition whatever the
parallelism, and a bundle of junk crosses into Python once instead of once for each lane. What it refuses is gathered
until the empty bundle that comes before each checkpoint barrier, so nothing that a checkpoint covers is only in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any

from pyflink.datastream import FlatMapFunction

from fluvial.admission.case import claimed_name
from fluvial.admission.over_rate import OverRates
from fluvial.admission.rates import Rate, Rates
from fluvial.wire.framing import encode
from fluvial.wire.records import OverRate
from fluvial.wire.topics import Topics
from pipelines.config import Settings
from pipelines.flink.attempts import attempt_of
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.bundles import Kind, pack_bundle, source_places
from pipelines.flink.frames import sink_frame
from pipelines.flink.shared import ended_with
from pipelines.validation import process

_LONGEST_NAME = 128
_short_name = lru_cache(maxsize=4096)(claimed_name)
"""Of keys that may be names: what is remembered is bounded, whoever sends keys of a megabyte."""


class Share(FlatMapFunction):
    """Bundles of source frames in. Out: those of records that are looked at; and of sink frames, for what is not.
    input_topic: attribute name of `Topics`."""

    def __init__(self, settings: Settings, input_topic: str) -> None:
        self._settings = settings
        self._topics = settings.topics
        self._topic: str = getattr(settings.topics, input_topic)
        self._ends: list[Callable[[], None]] = []

    def open(self, ctx: Any) -> None:
        known = process.acquire(self._settings, attempt_of(ctx)).known
        self._ends.append(ended_with(self, partial(process.release, self._settings, attempt_of(ctx))))
        self._trusted, self._places = known.trusted, known.judged.places
        self._rates = Rates(Rate(*self._settings.named_rate), Rate(*self._settings.unnamed_rate))
        self._refused = OverRates(self._topic)

    def close(self) -> None:
        while self._ends:
            self._ends.pop()()

    def flat_map(self, value: bytes) -> Iterator[bytes]:
        bundle = bytes(value)
        places = source_places(bundle)
        if not places:
            yield from _sunk(self._topics, self._refused.take())
            return
        looked_at = [place for place in places if self._is_looked_at(bundle, *place)]
        if len(looked_at) == len(places):
            yield bundle
            return
        if looked_at:
            yield pack_bundle(Kind.SOURCE, [bundle[start:end] for *_, start, _, end in looked_at])
        yield from _sunk(self._topics, self._refused.take_full())

    def set_aside(self, value: bytes, ctx: Any, failure: Any) -> Iterator[bytes]:
        """A record that every call with it has failed on has its verdict from the operator behind."""
        yield bytes(value)

    def _is_looked_at(
        self,
        bundle: bytes,
        partition: int,
        offset: int,
        timestamp_ms: int,
        key: bytes | None,
        _: int,
        middle: int,
        end: int,
    ) -> bool:
        """Whether a frame goes on: one of `source_places`. Records that were judged before count, too, and go on: what
        follows of them is not told here."""
        name = _short_name(key) if key is not None and len(key) <= _LONGEST_NAME else ""
        if self._trusted.participant(name) is None:
            name = ""
        if self._rates.take(partition, name, end - middle, timestamp_ms):
            return True
        if self._places.holds(self._topic, partition, offset):
            return True
        self._refused.add((partition, name), offset, timestamp_ms, bundle[middle:end])
        return False


def _sunk(topics: Topics, refused: list[OverRate]) -> Iterator[bytes]:
    if refused:
        frames = []
        for one in refused:
            encoded = encode(one)
            frames.append(sink_frame(topics.verdicts, one.participant.encode(), encoded))
            frames.append(audit_frame(topics, one, one.source_timestamp_ms, encoded))
        yield pack_bundle(Kind.SINK, frames)
