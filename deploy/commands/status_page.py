"""What `fluvial status` prints for people."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from rich.table import Column, Table

from fluvial.cli.common import console
from fluvial.wire.records import LeaseCause, TaskStatus

_BEHIND = "that sources have not said to have read; idle ones say so within ten seconds"


def show(found: dict[str, Any]) -> None:
    """found: see `deploy.commands.status.Questions.answers`."""
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
    if found["jobs"]:
        jobs = _table("job", "id", "state", "running for")
        for job in found["jobs"]:
            jobs.add_row(job["name"], job["job_id"], job["state"], f"{job['duration_ms'] / 1000:.0f} s")
        console.print(jobs)
    else:
        console.print(_without_jobs(found), markup=False)
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
        lag = _table("source group", "topic", "records behind", caption=_BEHIND)
        for group in found["lag"]:
            lag.add_row(group["group"], group["topic"], str(group["lag"]))
        console.print(lag)


def _without_jobs(found: dict[str, Any]) -> str:
    """A cluster forgets its jobs when it ends; who held the stages stands in the log."""
    where = "this cluster has no job" if found["flink"] else "no cluster runs here"
    if not found["holders"]:
        return f"{where}, and nobody has held a stage yet: `fluvial submit` begins"
    return (
        f"{where}. Who held the stages last, or holds them elsewhere, stands below; where they are free, "
        "`fluvial submit` goes on from the log"
    )


def _table(*names: str, caption: str | None = None) -> Table:
    """Whose cells are folded where a terminal is narrow: half an id names nothing."""
    return Table(*(Column(name, overflow="fold") for name in names), caption=caption)


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
