"""Who holds the stages that are to be submitted, and what this machine knows of it beyond the log."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.cluster.rest import ENDED, RestClient
from deploy.federation.directory import DataDirectory
from deploy.machine.errors import StackError
from deploy.machine.processes import ProcessIdentity
from fluvial.identity.federation import Federation
from fluvial.kafka.asked import Asked
from pipelines.flink.leases import LeaseLog, StagesHeld
from pipelines.leases.table import Held

if TYPE_CHECKING:
    from pipelines.config import Settings

_PAUSE_SECONDS = 0.3

RUN_PACKAGES = frozenset({"evaluation", "acceleration"})
"""Stages that run the code of a task's package."""


def lease_log(of: Federation | Settings) -> LeaseLog:
    """A federation's leases, read as who its file names, or as its jobs."""
    return LeaseLog(of.brokers, of.topics, bytes.fromhex(of.aggregator_key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A lease in force. cause: why it was taken. Times are the broker's; heard_ms: of what the job said last, or 0."""

    epoch: int
    stages: tuple[str, ...]
    job: str
    host: str
    cause: str
    since_ms: int
    heard_ms: int


def holders(federation: Federation) -> list[Holder]:
    """Who holds stages, or held them last, the oldest first. Raises TransportError."""
    log = lease_log(federation)
    heard = Asked(log.beats)
    in_force, beats = log.read().in_force(), heard.answer()
    return [
        Holder(
            epoch=held.lease.epoch,
            stages=held.lease.stages,
            job=held.lease.job,
            host=held.lease.host,
            cause=held.lease.cause.value,
            since_ms=held.timestamp_ms,
            heard_ms=beats[held.lease.epoch].timestamp_ms if held.lease.epoch in beats else 0,
        )
        for held in in_force
    ]


def jobs_without(
    held: Sequence[Holder], package: str, packages_of: Callable[[str], Sequence[str] | None]
) -> dict[str, tuple[str, ...]]:
    """The jobs that were submitted without the package, by name, and their stages that run a package's code.

    packages_of: the packages that a job was given; None for one that was not submitted from here.
    """
    found: dict[str, tuple[str, ...]] = {}
    for holder in held:
        stages = tuple(stage for stage in holder.stages if stage in RUN_PACKAGES)
        given = packages_of(holder.job) if stages else None
        if given is not None and package not in given:
            found[holder.job] = stages
    return found


def packages_given(directory: DataDirectory) -> Callable[[str], Sequence[str] | None]:
    """Of a job's name the packages that it was given; None for one that was not submitted from this directory."""

    def packages_of(job: str) -> list[str] | None:
        try:
            settings = json.loads((directory.jobs / f"{job}.json").read_text())
        except (OSError, ValueError):
            return None
        return [Path(folder).name for folder in settings.get("packages", ())]

    return packages_of


def arguments_for(
    settings: Settings,
    stages: Sequence[str],
    *,
    take_over: bool,
    rest: RestClient | None = None,
    cut_short: Callable[[str], bool] = lambda job: False,
) -> list[str]:
    """Arguments of pipelines.main with which it takes the stages. settings: of the job to be. rest: of the stack's
    session cluster, if it has one. cut_short: of a job's name, whether its submission to that cluster was.

    Waits for a holder that may just have died, until it says something or counts as gone. Raises StackError when one of
    the stages has a holder that is alive, unless it is to be taken over.
    """
    if take_over:
        return ["--take-over"]
    log = lease_log(settings)
    heard = Asked(log.beats)
    holding = log.read().holders(stages)
    beats = heard.answer()
    gone = [
        held.lease.epoch
        for held in holding
        if is_gone(held, rest, held.lease.epoch not in beats and cut_short(held.lease.job))
    ]
    try:
        wait_until_free(log, stages, gone)
    except StagesHeld as error:
        raise StackError(f"{error}. Stop that job, or take over with --take-over: it then ends, as a whole") from error
    return ["--gone", *map(str, gone)] if gone else []


def is_gone(held: Held, rest: RestClient | None, cut_short: bool = False) -> bool:
    """Whether this machine knows that the holder is gone: its process has ended, or the cluster says that its job has,
    or knows of none and never will, because the submission that took the lease was cut short.

    False where it cannot know."""
    lease = held.lease
    if lease.host != socket.gethostname():
        return False
    if lease.pid:
        process = ProcessIdentity(role="job", pid=lease.pid, started=lease.process_started_ms / 1000)
        return process.process() is None
    if rest is None:
        return False
    states = {job.state for job in rest.jobs() if job.name == lease.job}
    return states <= ENDED if states else cut_short


def wait_until_free(
    log: LeaseLog, stages: Sequence[str], gone: Sequence[int], *, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Return once every holder counts as gone. Raises StagesHeld as soon as one of them says that it is alive."""
    heard: dict[int, int] = {}
    while alive := log.alive(stages, gone):
        for held, beat in alive:
            if beat is None or heard.setdefault(held.lease.epoch, beat.timestamp_ms) != beat.timestamp_ms:
                raise StagesHeld(alive, log.now_ms(), stages)
        sleep(_PAUSE_SECONDS)
