"""Jobs of this data directory that complete no checkpoint, and why: what they do meanwhile becomes visible to nobody.

A job has a checkpoint every other second though nothing happens, so its newest one tells whether it gets on.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.federation.directory import DataDirectory
from deploy.jobs.holders import Holder
from fluvial.wire.files import NO_ROOM, refusal
from pipelines.leases.liveness import GONE_AFTER_MS

STALLED_AFTER_MS = 30_000
"""Operators that work on a large model hold a checkpoint up for some seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """job: its name. seconds: since its last checkpoint, or since it began. reason: what its folder of checkpoints
    says to a file that is to be written there."""

    job: str
    seconds: float
    reason: str


def stalls(directory: DataDirectory, held: Sequence[Holder], now_ms: int) -> list[Stall]:
    """Of the holders those that run here without checkpoints, and those that ended so for want of room. now_ms: this
    machine's time."""
    found = []
    for holder in held:
        folder = directory.checkpoints / holder.job
        since_ms = max(holder.since_ms, _newest_ms(folder))
        if not _is_of(directory, holder) or now_ms < since_ms + STALLED_AFTER_MS:
            continue
        refused = refusal(folder)
        if now_ms < holder.heard_ms + GONE_AFTER_MS or (refused is not None and refused.errno in NO_ROOM):
            reason = f"{refused.strerror}: {folder}" if refused else f"{folder} takes files: see the job's log"
            found.append(Stall(job=holder.job, seconds=(now_ms - since_ms) / 1000, reason=reason))
    return found


def _is_of(directory: DataDirectory, holder: Holder) -> bool:
    return holder.host == socket.gethostname() and (directory.jobs / f"{holder.job}.json").exists()


def _newest_ms(folder: Path) -> int:
    """When the last checkpoint was completed that is there; 0 for none."""
    newest = 0
    for metadata in folder.glob("*/chk-*/_metadata"):
        with contextlib.suppress(FileNotFoundError):  # the job deletes its old ones
            newest = max(newest, int(metadata.stat().st_mtime * 1000))
    return newest
