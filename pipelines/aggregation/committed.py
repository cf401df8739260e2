"""Reads what a process of aggregation has to know when it starts, once for all of its subtasks."""

from __future__ import annotations

import time
from collections.abc import Iterator

from fluvial.wire.foreign_text import logger
from fluvial.wire.records import OverRate, Receipt, Verdict
from pipelines.aggregation.rounds.recovery import Recovery
from pipelines.config import Settings
from pipelines.flink import log_reader, process_resources
from pipelines.flink.frames import SourceRecord
from pipelines.flink.offsets import answers_since_ms
from pipelines.flink.stage_mac import StageMac

_CLOCK_MARGIN_MS = 60_000

_log = logger(__name__)


def read_recovery(settings: Settings) -> Recovery:
    """What the log says now. Raises LogUnreadable."""
    began, brokers, topics = time.monotonic(), settings.brokers, settings.topics
    mac = StageMac.load(settings.keys_dir)
    every = topics.registry, topics.rounds, topics.models, topics.receipts, topics.verdicts, topics.updates
    written = log_reader.ends(brokers, every)
    recovery = Recovery(
        operator_key=bytes.fromhex(settings.operator_key),
        registrar_key=bytes.fromhex(settings.registrar_key),
        aggregator_key=bytes.fromhex(settings.aggregator_key),
        ends=written.get(topics.updates, {}),
        scope=topics.scope,
    )

    def read(topic: str, since_ms: int | None = None) -> Iterator[SourceRecord]:
        if topic in written and not any(written[topic].values()):
            return iter(())
        start = None if since_ms is None else log_reader.offsets_at(brokers, topic, max(0, since_ms - _CLOCK_MARGIN_MS))
        settle_seconds, former_ends = log_reader.SETTLE_SECONDS, settings.former_ends(topic)
        return log_reader.read_to_end(
            brokers, topic, start=start, settle_seconds=settle_seconds, former_ends=former_ends
        )

    recovery.take_registry(read(topics.registry))
    recovery.take_rounds(read(topics.rounds))
    if recovery.models_since_ms is not None:
        recovery.take_models(read(topics.models, recovery.models_since_ms))
    oldest_ms = log_reader.oldest_ms(brokers, (topics.updates, topics.accepted))
    since_ms = answers_since_ms(int(time.time() * 1000), _kept_ms(settings, topics.accepted), oldest_ms)
    receipts = mac.proven(topics.receipts, read(topics.receipts, since_ms))
    recovery.take_receipts(receipt for _, receipt in log_reader.decoded(receipts, Receipt, topics.receipts))
    if recovery.verdicts_since_ms is not None:
        verdicts = mac.proven(topics.verdicts, read(topics.verdicts, recovery.verdicts_since_ms))
        single = log_reader.decoded(verdicts, Verdict, topics.verdicts, beside=OverRate)
        recovery.take_verdicts(verdict for _, verdict in single)
    # A warning, because Python's log level in a job is that: a start is rare, and what it found matters.
    _log.warning("rounds and windows are known from the log in %.2f s", time.monotonic() - began)
    return recovery


def _kept_ms(settings: Settings, topic: str) -> int:
    every = settings.topics.all_settings(policy=settings.topic_policy)
    (config,) = (one.config for one in every if one.name == topic)
    return int(config["retention.ms"])


def acquire(settings: Settings, attempt: int = 0) -> Recovery:
    """What the subtasks of a submission know in this process: read by the first of them. Each calls `release` when it
    closes, so that a job which starts again reads anew. Raises LogUnreadable."""
    resources = process_resources.acquire(settings, attempt)
    try:
        return resources.part(Recovery, lambda: read_recovery(settings.of_attempt(attempt)))
    except BaseException:
        process_resources.release(settings, attempt)
        raise


def release(settings: Settings, attempt: int = 0) -> None:
    """The counterpart of `acquire`."""
    process_resources.release(settings, attempt)
