"""`fluvial status`: what runs in the embedded stack, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.broker.lag import group_lags
from deploy.broker.topics import admin_client, topic_statuses
from deploy.cluster.rest import RestClient
from deploy.commands.common import DataDirOption
from deploy.federation.directory import DEFAULT, DataDirectory
from deploy.federation.health_reading import HealthReading
from deploy.jobs.holders import Holder, holders, jobs_without, packages_given
from deploy.jobs.stalls import stalls
from fluvial.cli.common import print_json, reported
from fluvial.kafka.asked import Asked
from fluvial.wire.topics import NAMES

if TYPE_CHECKING:
    from deploy.federation.health import Health


@reported
def status(
    data_dir: DataDirOption = DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show the broker, the topics, the jobs, what failed, and how far sources are behind. Exit status 1 when nothing
    runs."""
    questions = Questions(DataDirectory(data_dir))
    if as_json:
        print_json(questions.answers())
        return
    from deploy.commands.status_page import show  # late: the answers are on their way meanwhile

    show(questions.answers())


class Questions:
    """What brokers and cluster are asked, all at the same time, from when this is made."""

    def __init__(self, directory: DataDirectory) -> None:
        """Raises NotRunning."""
        self._directory, self._state, self._federation = directory, directory.running(), directory.federation()
        federation, url = self._federation, self._state.rest_url
        names = [getattr(federation.topics, name) for name in NAMES]
        self._holders = Asked(lambda: holders(federation))
        self._health = HealthReading(federation)
        admin = admin_client(federation.brokers)
        self._topics = Asked(lambda: topic_statuses(admin, names))
        self._lags = Asked(lambda: group_lags(federation.brokers, admin, federation.topic_prefix))
        self._flink = Asked(lambda: _flink(url))

    def answers(self) -> dict[str, Any]:
        """All of them, as JSON has them."""
        from pipelines.flink.stage_mac import StageMac

        directory, state = self._directory, self._state
        health = self._health.health(StageMac.load(directory.keys))
        held = self._holders.answer()
        cluster, jobs = self._flink.answer()
        return {
            "data_dir": str(directory.root),
            "broker": {
                "bootstrap_servers": state.bootstrap_servers,
                "password_servers": state.password_servers,
                "security": self._federation.security.protocol,
            },
            "flink": cluster,
            "processes": [asdict(process) for process in state.processes],
            "restarts": state.restarts,
            "topics": [asdict(topic) for topic in self._topics.answer()],
            "jobs": jobs,
            **_findings_of(health, held, packages_given(directory)),
            "holders": [asdict(holder) for holder in held],
            "stalled": [asdict(stall) for stall in stalls(directory, held, int(time.time() * 1000))],
            "lag": [asdict(lag) for lag in self._lags.answer()],
        }


def _flink(url: str) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The cluster, and its jobs; empty where there is none."""
    if not url:
        return None, []
    rest = RestClient(url)
    jobs = [{**asdict(job), "last_failure": rest.last_failure(job.job_id)} for job in rest.jobs()]
    return {"url": url, "free_slots": rest.num_free_slots()}, jobs


def _findings_of(
    health: Health, held: Sequence[Holder], given: Callable[[str], Sequence[str] | None]
) -> dict[str, Any]:
    return {
        "tasks": [
            {**asdict(task), "jobs_without_package": jobs_without(held, task.package, given) if task.package else {}}
            for task in health.tasks.values()
        ],
        "quarantined": dict(health.quarantined),
        "set_aside": {name: {"count": n, "error": health.last_error[name]} for name, n in health.set_aside.items()},
    }
