"""What a run of the demonstration starts first: broker and job. All that follows waits for these two, so nothing else
is started or imported before them.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy.jobs.submission import LocalJob, Submission
from deploy.local.stack import Stack
from fluvial.cli.interruption import uninterrupted

STAGES = ("validation", "aggregation", "evaluation", "audit")
ACCELERATION_STAGES = ("acceleration", "promotion", "inference")
JOB = "demo"


class Beginning:
    """A context manager. Whatever ends it, no process of its own and no port outlives it."""

    def __init__(
        self, root: Path, packages: Sequence[Path], *, accelerate: bool = False, secure: bool = False, keep: bool = True
    ) -> None:
        """packages: whose code the job may run. accelerate: with the stages that this takes. secure: by mutual TLS.
        keep: what the directory holds is wanted afterwards, so that the broker ends in order. started: by the
        monotonic clock."""
        self.root, self.is_secure = root, secure
        self.stack = Stack(root, watch=False, secure=secure)
        # Its rounds are seconds long: what is refused after a wait, and what waits for a checkpoint, waits less; and a
        # job that fails again and again is to end and say why, not to try for ever.
        settings: dict[str, Any] = {
            "restart_attempts": 3,
            "packages": [str(folder) for folder in packages],
            "checkpoint_interval_ms": 100,
            "parking_ms": 1_000,
        }
        stages = (*STAGES, *(ACCELERATION_STAGES if accelerate else ()))
        self.job = LocalJob(self.stack.directory, Submission(stages=stages, name=JOB, settings=settings))
        self.started = time.monotonic()
        self._keep = keep
        self._ends = ExitStack()

    def __enter__(self) -> Self:
        """Begins, and returns. Raises StackError."""
        directory = self.stack.directory
        self._ends.callback(self.stack.stop)
        if not self._keep:
            self._ends.callback(self.stack.broker.kill)
        self._ends.callback(shutil.rmtree, directory.jobs / JOB / "tmp", ignore_errors=True)
        self._ends.callback(self.job.stop)
        try:
            directory.make()
            self.stack.begin()
            self.job.begin()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        with uninterrupted():  # a second Ctrl-C does not keep us from ending what we started
            self._ends.close()
