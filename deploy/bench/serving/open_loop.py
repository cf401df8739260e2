"""Open-loop load: when requests are meant to go out, and what became of them. Pure.

Arrival times are drawn before anything is sent, and nothing that the server does moves them: a latency counts from the
intended time, so that a server which stands still pays for every request that it made wait ("coordinated omission",
G. Tene).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_FOR_P99 = 10_000
"""Requests from which on a 99th percentile says something (MLPerf Inference asks for far more)."""

_FILE_FIELDS = ("intended", "received", "computed", "promotion", "answers", "refused")


def arrivals(per_second: float, seconds: float, seed: int) -> NDArray[np.float64]:
    """Seconds since the start of each request, float64[N], ascending: a Poisson process of that rate and length."""
    random = np.random.default_rng(seed)
    gaps = random.exponential(1.0 / per_second, size=int(2 * per_second * seconds) + 100)
    times = np.cumsum(gaps)
    return times[times < seconds]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What became of N requests. intended, received: seconds on the machine's monotonic clock, float64[N]; received is
    NaN where no answer came. computed: when the server says that it had the answer, NaN where it does not say; to the
    millisecond. promotion: that the first answer rests on, int64[N]. answers: how many came, int64[N].
    refused: whether the first answer has no outputs, bool[N]."""

    intended: NDArray[np.float64]
    received: NDArray[np.float64]
    computed: NDArray[np.float64]
    promotion: NDArray[np.int64]
    answers: NDArray[np.int64]
    refused: NDArray[np.bool_]

    def save(self, path: Path) -> None:
        np.savez(path, **{name: getattr(self, name) for name in _FILE_FIELDS})

    @classmethod
    def load(cls, path: Path) -> Outcome:
        with np.load(path, allow_pickle=False) as content:
            return cls(**{name: content[name] for name in _FILE_FIELDS})

    def since(self, begin: float, end: float = np.inf) -> Outcome:
        """Of the requests that were meant to go out in that time."""
        chosen = (self.intended >= begin) & (self.intended < end)
        return Outcome(**{name: getattr(self, name)[chosen] for name in _FILE_FIELDS})

    @property
    def failed(self) -> int:
        """Requests without outputs."""
        return int((self.refused | np.isnan(self.received)).sum())

    @property
    def repeated(self) -> int:
        """Requests that were answered more than once."""
        return int((self.answers > 1).sum())

    def figures(self, examples: int = 1) -> dict[str, Any]:
        """Answers a second, from the first intended time to the last (what comes later does not count), and latencies
        in milliseconds. examples: in each request; the rate counts examples."""
        good = ~self.refused & ~np.isnan(self.received)
        span = float(self.intended[-1] - self.intended[0])
        in_time = int((good & (self.received <= self.intended[-1])).sum())
        latencies = np.where(good, 1000.0 * (self.received - self.intended), np.inf)
        found = {
            "requests": len(self.intended),
            "offered_per_second": round(len(self.intended) * examples / span, 1),
            "answered_per_second": round(in_time * examples / span, 1),
            "p50_ms": percentile(latencies, 50),
            "p95_ms": percentile(latencies, 95),
            "failed": self.failed,
        }
        if np.isfinite(self.computed).any():
            found["p50_computed_ms"] = round(float(np.nanmedian(1000.0 * (self.computed - self.intended))), 2)
        if len(latencies) >= LEAST_FOR_P99:
            found["p99_ms"] = percentile(latencies, 99)
        return found


def percentile(latencies: NDArray[np.float64], percent: float) -> float:
    """Nearest rank; -1 where that is a request which was never answered."""
    ordered = np.sort(latencies)
    value = float(ordered[max(0, -(-len(ordered) * percent // 100).__int__() - 1)]) if len(ordered) else np.inf
    return round(value, 2) if np.isfinite(value) else -1.0
