"""What a job writes while it is measured: when each record came, and what the processor did for it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from deploy.bench.rates import SteadyRate, steady_rate, windows
from deploy.bench.session_job import Running
from deploy.bench.usage import Usage
from deploy.machine.errors import start_error
from fluvial.identity.brokers import Brokers
from fluvial.kafka.librdkafka import clients

_PATIENCE_SECONDS = 120.0
_ANSWER_SECONDS = 30.0
_AT_ONCE = 1_000
_SKIPPED = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """times_ms: the broker's, in order of arrival. cpu_microseconds: processor time by role for a record, from the
    moment at which a fifth of the records was there to the end, so with all that a running job does anyway."""

    times_ms: list[int]
    values: list[bytes]
    cpu_microseconds: dict[str, float]

    @property
    def rate(self) -> SteadyRate:
        return steady_rate(self.times_ms, skip_first=_SKIPPED)

    def to_dict(self) -> dict[str, Any]:
        return {
            "measured_records": self.rate.records,
            "measured_seconds": self.rate.seconds,
            "records_by_second": windows(self.times_ms),
            "cpu_microseconds_per_record": {role: round(each) for role, each in self.cpu_microseconds.items()},
        }


class Arrival(NamedTuple):
    """A record that came: the broker's time, and its value."""

    timestamp_ms: int
    value: bytes


class Arriving:
    """The committed records of a topic as they come, without keys and headers. Measuring takes from the same cores: a
    leaf has ten headers, and making objects of them would cost a sixth of what the stage costs."""

    def __init__(self, brokers: Brokers, topic: str) -> None:
        self._consumer = clients.consumer(brokers, "fluvial-bench", {"enable.partition.eof": False})
        numbers = self._consumer.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in numbers])

    def poll(self, timeout: float) -> list[Arrival]:
        """Those that have come; waits so many seconds for the first."""
        first = self._consumer.poll(timeout)
        messages = [] if first is None else [first, *self._consumer.consume(_AT_ONCE, 0)]
        return [Arrival(one.timestamp()[1], one.value() or b"") for one in messages if one.error() is None]

    def close(self) -> None:
        self._consumer.close()


def collect(reader: Arriving, job: Running, usage: Usage, expected: int) -> Arrivals:
    """That many records. Raises TimeoutError when no more come, StartError when the job ends."""
    times_ms: list[int] = []
    values: list[bytes] = []
    before, num_before = usage.cpu_seconds(), 0
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while len(times_ms) < expected:
        if job.pid is None:
            raise start_error("the job ended", job.log)
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(times_ms)} of {expected} records, and no more came: see {job.log}")
        for message in reader.poll(0.2):
            times_ms.append(message.timestamp_ms)
            values.append(message.value)
            deadline = time.monotonic() + _PATIENCE_SECONDS
        if not num_before and len(times_ms) >= expected * _SKIPPED:
            before, num_before = usage.cpu_seconds(), len(times_ms)
    counted = max(1, len(times_ms) - num_before)
    used = {role: (seconds - before.get(role, 0.0)) * 1e6 / counted for role, seconds in usage.cpu_seconds().items()}
    return Arrivals(times_ms=times_ms, values=values, cpu_microseconds=used)
