"""What is known of the holders of stages before a job is submitted."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from typing import Any

import psutil
import pytest

from deploy.cluster.rest import Job
from deploy.jobs.holders import Holder, is_gone, jobs_without, wait_until_free
from pipelines.flink.leases import StagesHeld
from pipelines.leases.liveness import GONE_AFTER_MS
from pipelines.leases.table import Held
from tests.unit.pipelines.flink.test_leases import MemoryLog
from tests.unit.pipelines.leases.builders import beat, lease, sealed

HERE = socket.gethostname()


class Cluster:
    """What a session cluster says of the jobs of a name."""

    def __init__(self, *states: str) -> None:
        self._states = states

    def jobs(self) -> list[Job]:
        return [Job(name="job", job_id="1", state=state, duration_ms=0) for state in self._states]


def held(**changes: Any) -> Held:
    return Held(replace(lease(1, "audit"), job="job", host=HERE, pid=0, process_started_ms=0, **changes), 0, 0)


def test_a_holder_whose_process_has_ended_is_gone_and_one_of_another_machine_may_not_be() -> None:
    started_ms = int(psutil.Process().create_time() * 1000)
    mine = replace(held().lease, pid=os.getpid(), process_started_ms=started_ms)
    assert not is_gone(Held(mine, 0, 0), None)
    another_of_that_id = replace(mine, process_started_ms=started_ms - 60_000)
    assert is_gone(Held(another_of_that_id, 0, 0), None)
    assert not is_gone(Held(replace(another_of_that_id, host="elsewhere"), 0, 0), None)


@pytest.mark.parametrize(
    ("states", "gone"),
    [((), False), (("RUNNING",), False), (("CANCELED",), True), (("FAILED", "RUNNING"), False)],
)
def test_a_holder_on_the_cluster_is_gone_when_the_cluster_says_so(states: tuple[str, ...], gone: bool) -> None:
    assert is_gone(held(), Cluster(*states)) is gone  # type: ignore[arg-type]
    assert not is_gone(held(), None)


def test_a_holder_that_the_cluster_never_heard_of_is_gone_if_its_submission_was_cut_short() -> None:
    assert is_gone(held(), Cluster(), cut_short=True)  # type: ignore[arg-type]
    assert not is_gone(held(), Cluster("RUNNING"), cut_short=True)  # type: ignore[arg-type]
    assert not is_gone(held(), None, cut_short=True)


def test_jobs_without_a_package_are_those_that_run_code_and_were_submitted_here_without_it() -> None:
    def holder(job: str, *stages: str) -> Holder:
        return Holder(epoch=1, stages=stages, job=job, host=HERE, cause="FREE", since_ms=0, heard_ms=0)

    held = [
        holder("gate", "validation"),
        holder("all", "validation", "evaluation", "acceleration"),
        holder("given", "evaluation"),
        holder("of-another-machine", "evaluation"),
    ]
    given = {"gate": [], "all": ["other"], "given": ["other", "churn"]}
    assert jobs_without(held, "churn", given.get) == {"all": ("evaluation", "acceleration")}


class Silent(MemoryLog):
    """Its holder spoke once; the broker's time goes on with every question."""

    def now_ms(self) -> int:
        self.time_ms = getattr(self, "time_ms", 1_000_000) + 3_000
        return self.time_ms


def spoken(log: type[MemoryLog], at_ms: int) -> MemoryLog:
    return log(sealed(lease(1, "audit")), beats={1: beat(1, at_ms)})


def test_a_holder_that_says_nothing_more_is_waited_for_until_it_counts_as_gone() -> None:
    log = spoken(Silent, 1_000_000)
    waits: list[float] = []
    wait_until_free(log, ["audit"], [], sleep=waits.append)
    assert 1 < len(waits) <= GONE_AFTER_MS / 3_000
    wait_until_free(log, ["validation"], [], sleep=waits.append)


def test_a_holder_that_speaks_meanwhile_is_alive() -> None:
    log = spoken(MemoryLog, 1_000_000)

    def speaks(_: float) -> None:
        log.said[1] = beat(1, 1_000_001)

    with pytest.raises(StagesHeld, match="the stage audit is held by"):
        wait_until_free(log, ["audit"], [], sleep=speaks)
    wait_until_free(log, ["audit"], [1], sleep=speaks)
