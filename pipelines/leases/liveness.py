"""Whether the holder of a lease is alive, by the broker's time of what it said last.

Nothing rests on this but whether the operator is asked: a job that was taken over can write nothing, alive or not.
"""

from __future__ import annotations

from dataclasses import dataclass

from fluvial.wire.records import Heartbeat, HolderState
from pipelines.leases.table import Held

HEARTBEAT_MS = 3_000
"""Pause between two heartbeats."""
GONE_AFTER_MS = 15_000
"""A holder that has said nothing for so long is gone: several heartbeats, and a restart within the job."""
STARTING_MS = 120_000
"""Time from taking a lease to the first heartbeat, on a slow machine."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat, and the broker's time of it."""

    heartbeat: Heartbeat
    timestamp_ms: int


def is_alive(held: Held, last: Beat | None, now_ms: int) -> bool:
    """last: what the holder said last, if anything. now_ms: the broker's time. What was said in its future is as old as
    what was said long ago: the clock was set back since."""
    if last is None:
        return abs(now_ms - held.timestamp_ms) < STARTING_MS
    return last.heartbeat.state is HolderState.RUNNING and abs(now_ms - last.timestamp_ms) < GONE_AFTER_MS
