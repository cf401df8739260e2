"""How many examples a caller may ask for: a bucket for each, filled at an even rate. Pure."""

from __future__ import annotations

import threading


class Quotas:
    """per_minute: examples of each caller; 0 for no limit. A caller that was silent may ask for a minute's worth at
    once. Threads may share it."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, int]] = {}

    def take(self, caller: str, examples: int, now_ms: int) -> bool:
        """Whether the caller may have so many examples, at least 1, now; if so, they are taken."""
        if not self.per_minute:
            return True
        with self._lock:
            left, since_ms = self._buckets.get(caller, (float(self.per_minute), now_ms))
            passed_ms = max(0, now_ms - since_ms)  # a clock that is set back takes nothing away
            left = min(self.per_minute, left + passed_ms * self.per_minute / 60_000)
            granted = examples <= left
            self._buckets[caller] = left - examples if granted else left, now_ms
            return granted

    def forget(self, now_ms: int) -> None:
        """Drop the buckets that are full again: they say nothing."""
        with self._lock:
            self._buckets = {
                caller: (left, since_ms)
                for caller, (left, since_ms) in self._buckets.items()
                if left + (now_ms - since_ms) * self.per_minute / 60_000 < self.per_minute
            }
