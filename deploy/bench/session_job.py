"""A job of a session cluster, seen as the benchmarks see a local one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.cluster.rest import ENDED, RestClient
from deploy.federation.directory import DataDirectory
from deploy.jobs.submission import Submission, submit_to_session


class Running(Protocol):
    """A job that is measured. pid: of a process that lives as long as the job; None once it has ended. log: where it
    says why."""

    @property
    def pid(self) -> int | None: ...
    @property
    def log(self) -> Path: ...


@dataclass(frozen=True, slots=True)
class SessionJob:
    """rest: of the cluster. job_id: Flink's. job_manager: its process."""

    rest: RestClient
    job_id: str
    job_manager: int | None
    log: Path

    @classmethod
    def submit(cls, directory: DataDirectory, submission: Submission, job_manager: int | None) -> SessionJob:
        """Returns when it has a checkpoint. Raises StackError."""
        job_id = submit_to_session(directory, submission)
        return cls(
            RestClient(directory.running().rest_url), job_id, job_manager, directory.jobs / f"{submission.job_name}.log"
        )

    @property
    def pid(self) -> int | None:
        return None if self.rest.job_state(self.job_id) in ENDED else self.job_manager

    def stop(self) -> None:
        self.rest.cancel(self.job_id)
