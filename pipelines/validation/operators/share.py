"""Flink function before the lanes: what a sender sends beyond its share goes no further.

It stands where a partition is read, in its order: so a sender has one bucket in each partition whatever the
parallelism, and a bundle of junk crosses into Python once instead of once for each lane. What it refuses is gathered
until the empty bundle that comes before each checkpoint barrier, so nothing that a checkpoint covers is only in memory.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from pyflink.datastream import FlatMapFunction

from fluvial.admission.case import claimed_name
from fluvial.admission.over_rate import OverRates
from fluvial.admission.rates import Rate, Rates, Sender, cost
from fluvial.wire.framing import encode
from fluvial.wire.records import OverRate
from fluvial.wire.topics import Topics
from pipelines.config import Settings
from pipelines.flink.attempts import attempt_of
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.bundles import Kind, SourcePlace, pack_bundle, source_places
from pipelines.flink.frames import sink_frame
from pipelines.flink.shared import ended_with
from pipelines.validation import process
from pipelines.validation.trusted_records import TrustedRecords

_LONGEST_NAME = 128
_MOST_NAMES = 4_096
_SWITCH_SECONDS = 0.0002


class EnrolledNames(dict[bytes | None, str]):
    """By Kafka key the enrolled name that it is, empty where nobody has it; as long as the registry does not change.
    What is remembered is bounded, whoever sends keys of a megabyte, or another one each time."""

    def __init__(self, trusted: TrustedRecords) -> None:
        super().__init__()
        self._trusted, self._changes = trusted, trusted.num_changes

    def renew(self) -> None:
        """Forget what the registry may have changed since."""
        if self._changes != self._trusted.num_changes:
            self._changes = self._trusted.num_changes
            self.clear()

    def __missing__(self, key: bytes | None) -> str:
        if key is None or len(key) > _LONGEST_NAME:
            return ""
        if len(self) >= _MOST_NAMES:
            self.clear()
        name = claimed_name(key)
        self[key] = found = name if self._trusted.participant(name) is not None else ""
        return found


class Share(FlatMapFunction):
    """Bundles of source frames in. Out: those of records that are looked at; and of sink frames, for what is not.
    input_topic: attribute name of `Topics`."""

    def __init__(self, settings: Settings, input_topic: str) -> None:
        self._settings = settings
        self._topics = settings.topics
        self._topic: str = getattr(settings.topics, input_topic)
        self._ends: list[Callable[[], None]] = []

    def open(self, ctx: Any) -> None:
        # Whoever judges takes its turns from the thread that counts, several for each record.
        sys.setswitchinterval(_SWITCH_SECONDS)
        known = process.acquire(self._settings, attempt_of(ctx)).known
        self._ends.append(ended_with(self, partial(process.release, self._settings, attempt_of(ctx))))
        self._names, self._places = EnrolledNames(known.trusted), known.judged.places
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
        looked_at = self._looked_at(bundle, places)
        if len(looked_at) == len(places):
            yield bundle
            return
        if looked_at:
            yield pack_bundle(Kind.SOURCE, [bundle[start:end] for *_, start, _, end in looked_at])
        yield from _sunk(self._topics, self._refused.take_full())

    def set_aside(self, value: bytes, ctx: Any, failure: Any) -> Iterator[bytes]:
        """A record that every call with it has failed on has its verdict from the operator behind."""
        yield bytes(value)

    def _looked_at(self, bundle: bytes, places: Sequence[SourcePlace]) -> list[SourcePlace]:
        """Those that go on. Records that were judged before count, too, and go on: what follows of them is not told
        here. A flood spends its time here, so nothing is looked up twice."""
        looked_at: list[SourcePlace] = []
        nothing_left: dict[Sender, int] = {}
        names, take, refuse, holds = self._names, self._rates.take, self._refused.add, self._places.holds
        names.renew()
        for place in places:
            partition, offset, timestamp_ms, key, _, middle, end = place
            sender = partition, names[key]
            # Records of one batch have one broker time: where one of the least cost is too much, all behind it are.
            if nothing_left.get(sender) != timestamp_ms:
                if take(sender, end - middle, timestamp_ms):
                    looked_at.append(place)
                    continue
                if cost(end - middle) == 1:
                    nothing_left[sender] = timestamp_ms
            if holds(self._topic, partition, offset):
                looked_at.append(place)
            else:
                refuse(sender, offset, timestamp_ms, bundle[middle:end])
        return looked_at


def _sunk(topics: Topics, refused: list[OverRate]) -> Iterator[bytes]:
    if refused:
        frames = []
        for one in refused:
            encoded = encode(one)
            frames.append(sink_frame(topics.verdicts, one.participant.encode(), encoded))
            frames.append(audit_frame(topics, one, one.source_timestamp_ms, encoded))
        yield pack_bundle(Kind.SINK, frames)
