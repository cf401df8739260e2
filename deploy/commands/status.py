"""`fluvial status`: what runs in the embedded stack, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table

from deploy.broker.topics import group_lags, topic_statuses
from deploy.cluster.rest import RestClient
from deploy.commands.common import DataDirOption
from deploy.federation.directory import DEFAULT, DataDirectory
from deploy.jobs.holders import Holder, holders, jobs_without, packages_given
from deploy.jobs.stalls import stalls
from fluvial.cli.common import console, print_json, reported
from fluvial.identity.federation import Federation
from fluvial.kafka.asked import Asked
from fluvial.wire.records import LeaseCause, TaskStatus
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
    found = _collect(DataDirectory(data_dir))
    if as_json:
        print_json(found)
    else:
        _print(found)


def _collect(directory: DataDirectory) -> dict[str, Any]:
    state, federation = directory.running(), directory.federation()
    names = [getattr(federation.topics, name) for name in NAMES]
    asked = Asked(lambda: holders(federation))
    topics = Asked(lambda: topic_statuses(federation.brokers, names))
    lags = Asked(lambda: group_lags(federation.brokers, federation.topic_prefix))
    flink = Asked(lambda: _flink(state.rest_url))
    health = _health(directory, federation)
    held = asked.answer()
    cluster, jobs = flink.answer()
    return {
        "data_dir": str(directory.root),
        "broker": {
            "bootstrap_servers": state.bootstrap_servers,
            "password_servers": state.password_servers,
            "security": federation.security.protocol,
        },
        "flink": cluster,
        "processes": [asdict(process) for process in state.processes],
        "restarts": state.restarts,
        "topics": [asdict(topic) for topic in topics.answer()],
        "jobs": jobs,
        **_findings_of(health, held, packages_given(directory)),
        "holders": [asdict(holder) for holder in held],
        "stalled": [asdict(stall) for stall in stalls(directory, held, int(time.time() * 1000))],
        "lag": [asdict(lag) for lag in lags.answer()],
    }


def _flink(url: str) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The cluster, and its jobs; empty where there is none."""
    if not url:
        return None, []
    rest = RestClient(url)
    jobs = [{**asdict(job), "last_failure": rest.last_failure(job.job_id)} for job in rest.jobs()]
    return {"url": url, "free_slots": rest.num_free_slots()}, jobs


def _health(directory: DataDirectory, federation: Federation) -> Health:
    from deploy.federation.health import read_health  # late: the broker's answers are on their way meanwhile
    from pipelines.flink.stage_mac import StageMac

    return read_health(federation, StageMac.load(directory.keys))


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


def _print(found: dict[str, Any]) -> None:
    broker = found["broker"]
    asks = f"TLS; with a password at {broker['password_servers']}" if broker["password_servers"] else "plain"
    console.print(f"broker  {broker['bootstrap_servers']} ({asks})")
    if found["flink"]:
        console.print(f"flink   {found['flink']['url']}, {found['flink']['free_slots']} free slots")
    running = ", ".join(f"{process['role']} {process['pid']}" for process in found["processes"])
    console.print(f"running {running}; {found['restarts']} restarts")
    topics = _table("topic", "partitions", "records up to")
    for topic in found["topics"]:
        topics.add_row(topic["name"], str(len(topic["end_offsets"])), " ".join(map(str, topic["end_offsets"])))
    console.print(topics)
    jobs = _table("job", "id", "state", "running for", title="no job was submitted" if not found["jobs"] else None)
    for job in found["jobs"]:
        jobs.add_row(job["name"], job["job_id"], job["state"], f"{job['duration_ms'] / 1000:.0f} s")
    console.print(jobs)
    for job in found["jobs"]:
        if job["last_failure"]:
            console.print(f"{job['name']} has failed, last with: {_cause(job['last_failure'])}", markup=False)
    holding = _table("stages", "held by", "on", "since", "because", "heard from")
    for holder in found["holders"]:
        since, heard = (_clock(holder[name]) for name in ("since_ms", "heard_ms"))
        holding.add_row(", ".join(holder["stages"]), holder["job"], holder["host"], since, holder["cause"], heard)
    if found["holders"]:
        console.print(holding)
    for told in _findings(found):
        console.print(told, markup=False)
    if found["lag"]:
        lag = _table("source group", "topic", "records behind")
        for group in found["lag"]:
            lag.add_row(group["group"], group["topic"], str(group["lag"]))
        console.print(lag)


def _table(*names: str, title: str | None = None) -> Table:
    """Whose cells are folded where a terminal is narrow: half an id names nothing."""
    return Table(*(Column(name, overflow="fold") for name in names), title=title)


def _findings(found: dict[str, Any]) -> Iterator[str]:
    """What needs a look, a line each."""
    for task in found["tasks"]:
        removed = task["status"] == TaskStatus.REMOVED
        if task["status"] != "RUNNING":
            ends = " when its open round is over" if task["is_open"] else ""
            why = f": {task['reason']}" if task["reason"] else ""
            yield f"task {task['task']} is {task['status'].lower()}{ends}{why}"
        if task["failed"]:
            where = f"round {task['round']}, attempt {task['attempt']}"
            yield f"task {task['task']} has failed {task['failed']} times by {where}, last: {task['last_failure']}"
        for job, stages in {} if removed else task["jobs_without_package"].items():
            yield (
                f"task {task['task']} runs code of the package {task['package']}, which the job {job} was not given: "
                f"its {' and '.join(stages)} measures none of its models until it is submitted again with --package "
                "and --take-over"
            )
        if (unmeasured := task["unmeasured"]) and not removed:
            newest = max(unmeasured)
            yield (
                f"task {task['task']} has {len(unmeasured)} versions that were not measured, the newest {newest}: "
                f"{unmeasured[newest]}; evaluation tries once more whenever it is submitted again"
            )
    for operator, aside in found["set_aside"].items():
        yield f"{aside['count']} records were set aside by {operator}, last: {aside['error']} (topic quarantine)"
    if found["quarantined"]:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(found["quarantined"].items()))
        yield f"in quarantine: {reasons}"
    for stall in found["stalled"]:
        yield (
            f"{stall['job']} has completed no checkpoint for {stall['seconds']:.0f} s, so nothing that it does becomes "
            f"visible: {stall['reason']}"
        )
    for holder in found["holders"]:
        if holder["cause"] == LeaseCause.TRANSACTION_LOST:
            since = _clock(holder["since_ms"])
            yield f"{holder['job']} goes on from the log since {since}: the broker had aborted what it had prepared"


def _clock(time_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_ms / 1000)) if time_ms else "-"


def _cause(stacktrace: str) -> str:
    """What began it: the innermost cause of a Java stack trace."""
    lines = [line.strip() for line in stacktrace.splitlines() if line.strip()]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return (causes or lines)[-1 if causes else 0]
