"""How many examples a caller may ask for: a bucket for each, filled at an even rate. Pure."""

from __future__ import annotations


class Quotas:
    """per_minute: examples of each caller; 0 for no limit. A caller that was silent may ask for a minute's worth at
    once."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: dict[str, tuple[float, int]] = {}

    def take(self, caller: str, examples: int, now_ms: int) -> bool:
        """Whether the caller may have so many examples now; if so, they are taken."""
        if not self._per_minute:
            return True
        left, since_ms = self._buckets.get(caller, (float(self._per_minute), now_ms))
        left = min(self._per_minute, left + (now_ms - since_ms) * self._per_minute / 60_000)
        granted = examples <= left
        self._buckets[caller] = left - examples if granted else left, now_ms
        return granted

    def forget(self, now_ms: int) -> None:
        """Drop the buckets that are full again: they say nothing."""
        self._buckets = {
            caller: (left, since_ms)
            for caller, (left, since_ms) in self._buckets.items()
            if left + (now_ms - since_ms) * self._per_minute / 60_000 < self._per_minute
        }
