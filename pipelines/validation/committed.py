"""Reads what validation has to know when it starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from fluvial.wire.foreign_text import logger
from fluvial.wire.tally import Tally
from pipelines.config import Settings
from pipelines.flink import log_reader
from pipelines.flink.frames import SourceRecord
from pipelines.flink.offsets import answers_since_ms, check_reached
from pipelines.flink.stage_mac import StageMac
from pipelines.validation.known import HEARD, CommittedRecords, Known, apply, known
from pipelines.validation.trusted_records import TrustedRecords

INPUTS = ("updates", "enrolments", "reports")
"""Attribute names of the topics whose records have verdicts."""

_log = logger(__name__)


def read_known(settings: Settings, *, settled: bool = True) -> Known:
    """What the log says now. settled: waits for transactions that are open, because a former run of this job may still
    commit.

    Verdicts are read as far back as there are records that they could be on, by what the topics hold and not by this
    host's clock alone: were it ahead, what is judged would be judged again. Raises LogUnreadable, RecordsLost.
    """
    began, brokers, topics = time.monotonic(), settings.brokers, settings.topics
    mac = StageMac.load(settings.keys_dir)
    settle_seconds = log_reader.SETTLE_SECONDS if settled else 0.0
    oldest_ms = log_reader.oldest_ms(brokers, [getattr(topics, one) for one in INPUTS])
    since_ms = answers_since_ms(int(time.time() * 1000), _longest_kept_ms(settings), oldest_ms)

    every = topics.registry, topics.rounds, topics.verdicts, topics.receipts, topics.variants, topics.enrolments
    empty = log_reader.never_written(brokers, every)

    def read(topic: str, start: Mapping[int, int] | None = None) -> Iterator[SourceRecord]:
        ends = settings.former_ends(topic)
        return log_reader.read_to_end(brokers, topic, start=start, settle_seconds=settle_seconds, former_ends=ends)

    def written(topic: str) -> Iterator[SourceRecord]:
        return mac.proven(topic, read(topic, log_reader.offsets_at(brokers, topic, since_ms)))

    def unless_empty(topic: str, read: Callable[[str], Iterator[SourceRecord]]) -> Iterable[SourceRecord]:
        return () if topic in empty else read(topic)

    # What is judged was there when this job took its stages, and so is counted here.
    bounds = log_reader.all_bounds(brokers, [getattr(topics, one) for one in INPUTS])
    found = known(
        CommittedRecords(
            registry=unless_empty(topics.registry, read),
            rounds=unless_empty(topics.rounds, read),
            verdicts=unless_empty(topics.verdicts, written),
            receipts=unless_empty(topics.receipts, written),
            variants=unless_empty(topics.variants, read),
            enrolments=unless_empty(topics.enrolments, partial(log_reader.read_to_end, brokers)),
            bounds=bounds,
        ),
        TrustedRecords.of(settings),
        topics,
    )
    # Asked behind the verdicts, so that none of them is on a record that came in between.
    ends = log_reader.ends(brokers, bounds)
    for topic in [getattr(topics, one) for one in INPUTS]:
        check_reached(topic, ends.get(topic, {}), found.judged.places.reached(topic))
    for gap in found.gaps:
        _log.error(
            "%s/%d: offsets %d to %d were gone before they were judged",
            gap.topic,
            gap.partition,
            gap.first,
            gap.end - 1,
        )
    _log.warning(
        "%d updates are accepted and without a receipt; known from the log in %.2f s",
        len(found.judged.unanswered),
        time.monotonic() - began,
    )
    return found


def read_on(settings: Settings, known: Known) -> None:
    """Take in what the topics of `HEARD` hold beyond what is known. Raises LogUnreadable."""
    skipped = Tally(_log)
    for topic in HEARD:
        name, start = getattr(settings.topics, topic), dict(known.read_to.get(topic, {}))
        settle_seconds = log_reader.SETTLE_SECONDS
        for record in log_reader.read_to_end(settings.brokers, name, start=start, settle_seconds=settle_seconds):
            apply(known.trusted, topic, record, skipped)
            known.heard(topic, record)


def _longest_kept_ms(settings: Settings) -> int:
    inputs = {getattr(settings.topics, one) for one in INPUTS}
    every = settings.topics.all_settings(policy=settings.topic_policy)
    return max(int(one.config["retention.ms"]) for one in every if one.name in inputs)
