"""Topic failures: what operators raised on, for when they start again.

Written at once and not in the job's transaction, which the failure aborts. Read when a task is started again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from uuid import uuid4

from confluent_kafka import KafkaException

from fluvial.wire.errors import TransportError
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import encode
from fluvial.wire.records import Failure
from pipelines.config import Settings
from pipelines.flink.frames import parse_sink, sink_frame
from pipelines.flink.leased_producer import leased_producer, persist
from pipelines.flink.log_reader import decoded, read_to_end
from pipelines.flink.stage_mac import StageMac
from pipelines.topology import PROVEN

_SECONDS = 20.0
_TOGETHER_SECONDS = 1.0

_log = logger(__name__)

_read: dict[tuple[str, str], tuple[float, list[Failure]]] = {}
_read_lock = threading.Lock()


def failures(settings: Settings) -> list[Failure]:
    """Those of this submission of the job; read once for the operators of the process that start together.

    Raises LogUnreadable.
    """
    topic, key = settings.topics.failures, (str(settings.brokers), settings.submission)
    with _read_lock:
        at, found = _read.get(key, (0.0, []))
        if time.monotonic() - at > _TOGETHER_SECONDS:
            records = StageMac.load(settings.keys_dir).proven(topic, read_to_end(settings.brokers, topic))
            every = [failure for _, failure in decoded(records, Failure, topic)]
            found = [failure for failure in every if failure.submission == settings.submission]
            _read.clear()
            _read[key] = time.monotonic(), found
        return list(found)


def remember(settings: Settings, failure: Failure) -> None:
    """Write it; a broker that is away is told of in the process's log alone: the item is then tried once more."""
    with _read_lock:
        _, found = _read.get((str(settings.brokers), settings.submission), (0.0, []))
        found.append(failure)  # for operators that start before the topic is read again
    try:
        write_now(settings, [failure_frame(settings, failure)])
    except TransportError as error:
        _log.error("what %s raised on is not in the log: %s", failure.operator, error)


def failure_frame(settings: Settings, failure: Failure) -> bytes:
    """The failure as a sink frame."""
    return sink_frame(settings.topics.failures, failure.operator.encode(), encode(failure))


def write_now(settings: Settings, frames: Sequence[bytes]) -> None:
    """Write sink frames in a transaction of their own, and wait until they are in the log.

    Raises TransportError when they are not, LeaseLost when another job holds the stages.
    """
    mac, proven = StageMac.load(settings.keys_dir), {getattr(settings.topics, name) for name in PROVEN}
    try:
        producer = leased_producer(settings, f"failures-{uuid4().hex}", {}, timeout_s=_SECONDS)
        producer.begin_transaction()
        for frame in frames:
            topic, key, value, headers = parse_sink(frame)
            proof = [mac.header(topic, key, value or b"", headers)] if topic in proven else []
            producer.produce(topic, value, key, headers=[*headers, *proof])
        persist(lambda: producer.commit_transaction(_SECONDS), _SECONDS)
    except KafkaException as error:
        raise TransportError(f"what an operator raised on is not in the log: {error}") from error
