"""What a job writes while it is measured: when each record came, and what the processor did for it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from deploy.bench.rates import SteadyRate, steady_rate, windows
from deploy.bench.usage import Usage
from deploy.jobs.submission import LocalJob
from deploy.machine.errors import start_error
from fluvial.kafka import Reader

_PATIENCE_SECONDS = 120.0
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


def collect(reader: Reader, job: LocalJob, usage: Usage, expected: int) -> Arrivals:
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
            values.append(message.value or b"")
            deadline = time.monotonic() + _PATIENCE_SECONDS
        if not num_before and len(times_ms) >= expected * _SKIPPED:
            before, num_before = usage.cpu_seconds(), len(times_ms)
    counted = max(1, len(times_ms) - num_before)
    used = {role: (seconds - before.get(role, 0.0)) * 1e6 / counted for role, seconds in usage.cpu_seconds().items()}
    return Arrivals(times_ms=times_ms, values=values, cpu_microseconds=used)
