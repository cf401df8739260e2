"""All that validation knows when it starts, from the committed log: whom to believe, and what was judged. Pure.

The registry and the rounds are read to their end before the first record is judged, so that nobody is refused, and
nobody let in, for what simply has not been heard of yet. They live in memory alone: compacted topics are their state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from fluvial.admission.judgement import Source
from fluvial.admission.over_rate import offsets_of
from fluvial.wire.errors import DecodeError, FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import decode, decode_either
from fluvial.wire.records import InputGap, OverRate, Receipt, Verdict
from fluvial.wire.tally import Tally
from fluvial.wire.topics import Topics
from governance.registry.enrolment import claim_token
from governance.registry.token_claims import TokenClaims
from pipelines.flink.frames import SourceRecord
from pipelines.flink.offsets import Bounds
from pipelines.validation.accepted_records import first_remembered
from pipelines.validation.recovery import Judged, judged
from pipelines.validation.standing import Standing
from pipelines.validation.trusted_records import TrustedRecords

HEARD = ("registry", "rounds", "variants")
"""Attribute names of the topics that say whom and what to believe."""

_log = logger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedRecords:
    """Records of the topics, each in the order of its partitions. bounds: of the inputs, by topic."""

    registry: Iterable[SourceRecord]
    rounds: Iterable[SourceRecord]
    verdicts: Iterable[SourceRecord]
    receipts: Iterable[SourceRecord]
    enrolments: Iterable[SourceRecord]
    variants: Iterable[SourceRecord] = ()
    bounds: Mapping[str, Mapping[int, Bounds]]


@dataclass(slots=True, kw_only=True)
class Known:
    """trusted: registry and rounds. standing: of the registry's records. judged: what has a verdict. claims: whose the
    tokens are. gaps: offsets that are gone without a verdict. starts: by input topic where to begin to read. read_to:
    by topic of `HEARD` the first offset of each partition that was not taken in."""

    trusted: TrustedRecords
    standing: Standing = field(init=False)
    judged: Judged = field(default_factory=Judged)
    claims: TokenClaims = field(default_factory=TokenClaims)
    gaps: list[InputGap] = field(default_factory=list)
    starts: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    read_to: dict[str, dict[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.standing = Standing(self.trusted.registry_record)

    def heard(self, topic: str, record: SourceRecord) -> None:
        """A record of one of the topics `HEARD` was taken in."""
        places = self.read_to.setdefault(topic, {})
        places[record.partition] = max(places.get(record.partition, 0), record.offset + 1)

    def take_gaps(self) -> list[InputGap]:
        """The gaps, to whoever asks first."""
        gaps, self.gaps = self.gaps, []
        return gaps


def known(records: CommittedRecords, trusted: TrustedRecords, topics: Topics) -> Known:
    """trusted: empty; filled here."""
    skipped, heard = Tally(_log), Known(trusted=trusted)
    for topic in HEARD:
        for record in getattr(records, topic):
            apply(trusted, topic, record, skipped)
            heard.heard(topic, record)
            if topic == "registry":
                heard.standing.take(record.offset, record.key, record.value)
    found = judged(
        _decoded(records.verdicts, _verdict, topics.verdicts, skipped),
        _decoded(records.receipts, lambda value: decode(value, Receipt), topics.receipts, skipped),
        topics.updates,
        topics.reports,
        lambda task: first_remembered(trusted.current(task)),
    )
    claims = TokenClaims()
    for record in records.enrolments:
        source = source_of(record, topics.enrolments)
        claim_token(record.value, source, registry=trusted, claims=claims, scope=topics.scope)
    heard.judged, heard.claims = found, claims
    heard.gaps = [
        InputGap(topic=topic, partition=gap.partition, first=gap.first, end=gap.end)
        for topic, bounds in records.bounds.items()
        for gap in found.places.gaps(topic, bounds)
    ]
    heard.starts = {topic: found.first_wanted(topic, bounds) for topic, bounds in records.bounds.items()}
    return heard


def apply(trusted: TrustedRecords, topic: str, record: SourceRecord, skipped: Tally) -> None:
    """Take in a record of topic registry, rounds or variants (attribute name of `Topics`); what is not genuine is
    skipped."""
    try:
        if topic == "rounds":
            trusted.apply_round(record.value)
        elif topic == "variants":
            trusted.apply_variant(record.value)
        else:
            trusted.apply_registry((record.key or b"").decode(), record.value)
    except (FluvialError, UnicodeDecodeError) as error:
        skipped.add(f"{topic}/{record.partition}@{record.offset}", str(error))


def source_of(record: SourceRecord, topic: str) -> Source:
    """The record's place in the log, for a verdict."""
    return Source(
        topic=topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp_ms,
        key=record.key,
    )


def _verdict(value: bytes) -> Verdict | OverRate:
    found = decode_either(value, Verdict, OverRate)
    if isinstance(found, OverRate):
        offsets_of(found)
    return found


def _decoded(records: Iterable[SourceRecord], read: Callable[[bytes], T], topic: str, skipped: Tally) -> Iterator[T]:
    for record in records:
        try:
            yield read(record.value)
        except DecodeError as error:
            skipped.add(f"{topic}/{record.partition}@{record.offset}", str(error))
