"""Flink's REST interface, as far as the stack needs it."""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from deploy.machine.errors import StackError

_SECONDS = 10.0
ENDED = frozenset({"CANCELED", "FAILED", "FINISHED", "SUSPENDED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job of the cluster. state: Flink's JobStatus."""

    job_id: str
    name: str
    state: str
    duration_ms: int


class RestClient:
    """Calls to one JobManager. Every method raises StackError when it does not answer."""

    def __init__(self, url: str) -> None:
        self.url = url

    def num_task_managers(self) -> int:
        """TaskManagers that offer their slots: one that has only just registered offers none yet."""
        overview = self._call("/overview")
        return min(int(overview["taskmanagers"]), int(overview["slots-total"]))

    def num_free_slots(self) -> int:
        return int(self._call("/overview")["slots-available"])

    def jobs(self) -> list[Job]:
        return [
            Job(job_id=job["jid"], name=job["name"], state=job["state"], duration_ms=int(job["duration"]))
            for job in self._call("/jobs/overview")["jobs"]
        ]

    def job_state(self, job_id: str) -> str:
        return str(self._call(f"/jobs/{job_id}")["state"])

    def last_restart_ms(self, job_id: str) -> int:
        """When the job last began to restart, by the JobManager's clock; 0 for never.

        Not the metric numRestarts: when a TaskManager dies while its metrics are asked for, Flink waits ten minutes for
        the answer, and no metric moves meanwhile.
        """
        return int(self._call(f"/jobs/{job_id}")["timestamps"]["RESTARTING"])

    def last_failure(self, job_id: str) -> str:
        """The newest exception of a job, or an empty string."""
        entries = self._call(f"/jobs/{job_id}/exceptions")["exceptionHistory"]["entries"]
        return str(entries[0]["stacktrace"]) if entries else ""

    def num_checkpoints(self, job_id: str) -> int:
        """Checkpoints that are complete, of this job since it was submitted."""
        return int(self._call(f"/jobs/{job_id}/checkpoints")["counts"]["completed"])

    def cancel(self, job_id: str, timeout_seconds: float = 60.0) -> None:
        """Cancel and wait; its checkpoints stay."""
        self._call(f"/jobs/{job_id}?mode=cancel", method="PATCH")
        self.wait_for(job_id, ENDED, timeout_seconds)

    def wait_for(self, job_id: str, states: frozenset[str], timeout_seconds: float) -> str:
        """The first of these states that the job is in."""
        deadline = time.monotonic() + timeout_seconds
        while (state := self.job_state(job_id)) not in states:
            if state in ENDED:
                raise StackError(f"the job ended as {state}: {self.last_failure(job_id)}")
            if time.monotonic() > deadline:
                raise StackError(f"the job is {state} after {timeout_seconds:.0f} s: {self.last_failure(job_id)}")
            time.sleep(0.1)
        return state

    def _call(self, path: str, method: str = "GET") -> Any:
        from http.client import HTTPConnection, HTTPException  # late: many who know of a cluster do not call it

        place = urlsplit(self.url)
        try:
            with closing(HTTPConnection(place.hostname or "", place.port, timeout=_SECONDS)) as connection:
                connection.request(method, place.path + path)
                response = connection.getresponse()
                body = response.read()
            if response.status >= 400:
                raise StackError(f"Flink refused {path}: {body[:500].decode(errors='replace')}")
            return json.loads(body or b"{}")
        except (OSError, HTTPException, ValueError) as error:
            raise StackError(f"the JobManager at {self.url} does not answer: {error}") from error
