"""How a job ended, and whether it is to be started again from the log."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Self

from fluvial.wire.records import LeaseCause

_JAVA = "org.fluvial.flink."
_MOST_FAILURES = 3
_LONG_RUN_SECONDS = 60.0
_LEAST_PAUSE_SECONDS = 0.5
_MOST_PAUSE_SECONDS = 30.0


_NO_SLOTS = "NoResourceAvailableException"
_TASK_MANAGER_LOST = (
    "Flink has no slot for the job's operators: the TaskManager that ran them has ended, or never started. Why stands "
    "further up in this log, or in log/*.log beside it (memory, or an error on top of another); submit the job again, "
    "it goes on from the log"
)


class Ending(StrEnum):
    """LEASE_LOST: another job has its stages. TRANSACTION_LOST: the broker aborted what it had prepared.
    TASK_MANAGER_LOST: nothing is left that would run its operators. FAILED: it could not go on from its checkpoint."""

    LEASE_LOST = "LEASE_LOST"
    TRANSACTION_LOST = "TRANSACTION_LOST"
    TASK_MANAGER_LOST = "TASK_MANAGER_LOST"
    FAILED = "FAILED"


def ending_of(failure: str) -> tuple[Ending, str]:
    """The ending in Flink's words (a stack trace), and our own sentence in them if there is one."""
    for ending, name in ((Ending.LEASE_LOST, "LeaseLost"), (Ending.TRANSACTION_LOST, "TransactionLost")):
        _, found, rest = failure.partition(f"{_JAVA}{name}: ")
        if found:
            return ending, rest.splitlines()[0].strip()
    if _NO_SLOTS in failure:
        return Ending.TASK_MANAGER_LOST, _TASK_MANAGER_LOST
    return Ending.FAILED, ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A start of a job: the first, or again from the log after an earlier one ended.

    times: starts in a row that ended soon. unbuilt: how often in a row since then the broker went away again before the
    job's graph stood, which costs none of its turns. epoch: of the lease of the one before, which is gone; 0 for none.
    """

    cause: LeaseCause = LeaseCause.FREE
    epoch: int = 0
    times: int = 0
    unbuilt: int = 0

    @classmethod
    def from_text(cls, text: str) -> Self:
        content = json.loads(text)
        return cls(
            cause=LeaseCause(content["cause"]),
            epoch=int(content["epoch"]),
            times=int(content["times"]),
            unbuilt=int(content.get("unbuilt", 0)),  # not told by a job that an earlier version began
        )

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    def next(self, ending: Ending, epoch: int, ran_seconds: float, *, had_checkpoint: bool) -> Start | None:
        """The start after this one, or None where the job is not to be started again.

        What failed although it ran before may do so because of its checkpoint, so the log has a turn; a job that never
        ran would fail in the same way. One that lost a transaction is started again as often as it happens.
        """
        times = self.times + 1 if ran_seconds < _LONG_RUN_SECONDS else 1
        match ending:
            case Ending.TRANSACTION_LOST:
                return Start(cause=LeaseCause.TRANSACTION_LOST, epoch=epoch, times=times)
            case Ending.FAILED | Ending.TASK_MANAGER_LOST if had_checkpoint and times <= _MOST_FAILURES:
                return Start(cause=LeaseCause.FAILED, epoch=epoch, times=times)
        return None

    @property
    def pause_seconds(self) -> float:
        """Wait before this start: longer with each that ends soon."""
        times = self.times + self.unbuilt
        return 0.0 if not times else min(_LEAST_PAUSE_SECONDS * 2 ** (times - 1), _MOST_PAUSE_SECONDS)
