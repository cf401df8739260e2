"""How long a record may wait for what vouches for it."""

from __future__ import annotations

from dataclasses import dataclass

MAX_PENDING_MS = 86_400_000
"""A day: longer than a stage is away for repair. What is not judged by then is kept from being judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """By the brokers' clock. grace_ms: how long a record may wait even when newer ones have what vouches for them.
    now_ms: the time of the audit. max_pending_ms: how long one may wait when there is nothing newer."""

    grace_ms: int
    now_ms: int
    max_pending_ms: int = MAX_PENDING_MS

    def is_over(self, since_ms: int) -> bool:
        """Whether what has waited since then has waited too long, whatever else there is."""
        return since_ms < self.now_ms - self.max_pending_ms
