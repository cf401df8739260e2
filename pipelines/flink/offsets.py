"""Where reading a topic begins, and what is no longer there to be read.

Pure: the offsets come from `pipelines.flink.log_reader`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from fluvial.wire.errors import TransportError

_CLOCKS_DIFFER_MS = 24 * 3_600_000


class Bounds(NamedTuple):
    """What a partition holds: the offsets from `first` to before `end`, some of which are control records or were
    compacted away. Beyond `end` nothing is committed; `written` is the end of what is written, committed or not."""

    first: int
    end: int
    written: int


class Gap(NamedTuple):
    """Offsets from `first` to before `end` of a partition that were wanted, and that retention has taken."""

    partition: int
    first: int
    end: int


class RecordsLost(TransportError):
    """The log tells of records that a topic does not hold, nor ever held: it was made again, or its broker lost what it
    had written last. New records would be taken for those."""

    retriable: ClassVar[bool] = False


def check_reached(topic: str, ends: Mapping[int, int], reached: Mapping[int, int]) -> None:
    """ends: by partition the end of what is written, committed or not; empty where there is no such topic. reached: by
    partition behind which of its offsets the log tells of nothing. Raises RecordsLost."""
    if reached and not ends:
        raise RecordsLost(
            f"there is no topic {topic}, and the log tells of records there: somebody has deleted it. Restore the log "
            "from a backup, or make the topic again (`fluvial topics create`) and submit the job, which then says how "
            "those records are given up"
        )
    for partition, end in sorted(reached.items()):
        written = ends.get(partition, 0)
        if written < end:
            raise RecordsLost(
                f"{topic}/{partition} was written up to offset {written}, and the log tells of records there up to "
                f"{end}: its broker has lost them, or the topic was made again. What comes next would be taken for "
                "them. Restore the log from a backup, or give those offsets up: "
                f"`fluvial topics advance {topic} {partition} {end}`"
            )


def starting_offsets(
    bounds: Mapping[int, Bounds], start: Mapping[int, int] | None = None, tail: int | None = None
) -> dict[int, int]:
    """For each partition the offset to begin at: never before the first that is there, never behind the end.

    start: by partition the first offset wanted; partitions that are not named begin at their first record. tail: at
    most so many of the newest offsets of each partition, control records counted.
    """
    offsets = {}
    for partition, (first, end, _) in bounds.items():
        wanted = (start or {}).get(partition, first)
        if tail is not None:
            wanted = max(wanted, end - tail)
        offsets[partition] = min(max(wanted, first), end)
    return offsets


def gaps(bounds: Mapping[int, Bounds], start: Mapping[int, int]) -> list[Gap]:
    """What of the offsets from `start` on is gone. Who finds a gap says so: in a log line and in the audit log."""
    return [
        Gap(partition, wanted, bounds[partition].first)
        for partition, wanted in sorted(start.items())
        if partition in bounds and wanted < bounds[partition].first
    ]


def answers_since_ms(now_ms: int, kept_ms: int, oldest_ms: int | None) -> int:
    """From which broker time on verdicts or receipts are read, so that none is missed on a record that is there.

    now_ms: by this host. kept_ms: how long records are kept. oldest_ms: broker time of the oldest that is there; None
    for none. A clock that is ahead so hides nothing, and one that is behind costs reading.
    """
    since_ms = now_ms - kept_ms
    return max(0, (since_ms if oldest_ms is None else min(since_ms, oldest_ms)) - _CLOCKS_DIFFER_MS)
