"""The lease that a job holds, as its operators are given it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

SINK = "sink"
"""The writer of all that Flink emits; the connector adds numbers to its id."""

_SECRET = 16
_ID = re.compile(r"lease-([1-9][0-9]*)/[^/]*/([a-z]+)(?:-[0-9a-f]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """epoch: of the lease. offset: where it lies in topic leases. stages: those that the job runs.

    taken_ms: the broker's time of the lease. record: the lease itself, where it was taken because something went wrong,
    which the job tells in the audit log; else empty.

    secret: the part of the job's transactional ids that nobody can guess, made anew for each lease. It is no key: who
    learns it can disturb the job, which then fails and goes on from the log, and can write nothing in its name.

    ends: by topic (full name) that the stages write, and partition, the end of what was written when no earlier holder
    could make anything visible any more: what lies behind it is the job's own. Empty where the job has run before.
    """

    epoch: int
    offset: int
    stages: tuple[str, ...]
    secret: str
    taken_ms: int = 0
    record: bytes = b""
    ends: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if self.epoch < 1 or self.offset < 0:
            raise ValueError(f"no lease has epoch {self.epoch} and offset {self.offset}")
        if len(self.secret) < _SECRET:
            raise ValueError(f"the secret must have at least {_SECRET} characters")

    def transactional_id(self, topic_prefix: str, writer: str) -> str:
        """The id of one of the job's writers, or the prefix of its ids. No writer's name is the beginning of another,
        and the slash keeps the epochs apart: whoever aborts all that begins so aborts nothing of anybody else."""
        return f"{topic_prefix}lease-{self.epoch}/{self.secret}/{writer}"


class User(NamedTuple):
    """Who uses a transactional id: the holder of the lease of this epoch, and which of its writers."""

    epoch: int
    writer: str


def user_of(transactional_id: str, topic_prefix: str) -> User | None:
    """None for an id that no holder of a lease uses."""
    if not transactional_id.startswith(topic_prefix):
        return None
    found = _ID.fullmatch(transactional_id, len(topic_prefix))
    return User(int(found.group(1)), found.group(2)) if found else None
