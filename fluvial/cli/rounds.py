"""`fluvial rounds`: which rounds are open, what comes next, and whom they invite."""

import json as json_codec
import time
from contextlib import ExitStack, closing
from typing import Annotated, Any

import typer

from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    FederationOption,
    JsonOption,
    console,
    errors,
    load_federation,
    print_json,
    reported,
)
from fluvial.edge.invitations import invitations
from fluvial.edge.measurements import MeasurementFollower, as_dict, as_lines, participants_as_lines
from fluvial.edge.registry import existing_task
from fluvial.edge.rounds import RoundFollower
from fluvial.identity.federation import Federation
from fluvial.kafka import Transport, connect
from fluvial.registry.rounds import is_over
from fluvial.wire.foreign_text import plain
from fluvial.wire.records import Release, Round, RoundStatus, WindowMode

app = typer.Typer(help="Follow the rounds of the federation's tasks.", no_args_is_help=True)

_POLL_SECONDS = 0.5


@app.command()
@reported
def watch(
    task: Annotated[str | None, typer.Argument(help="One task; all without it.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Print the present state and end.")] = False,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Print each round as it is opened, with its quorum, target and deadline, and each model as it is measured, overall
    and by group, by evaluation and by participants; signatures of rounds are verified. Ctrl-C ends."""
    parties = load_federation(federation)
    with ExitStack() as ends:
        transport = connect(parties.brokers, "fluvial-rounds")
        ends.callback(transport.close)
        follower = ends.enter_context(closing(RoundFollower(transport, parties)))
        measured = ends.enter_context(closing(MeasurementFollower(transport, parties)))
        follower.refresh()
        newest = {release.task: release for release in measured.refresh()}
        found = [record for record in follower.all_newest() if task in (None, record.task)]
        if not found:
            _explain(transport, parties, task)
        _print(found, json)
        _print_measured([release for release in newest.values() if task in (None, release.task)], json)
        while not once:
            _print([record for record in follower.poll(_POLL_SECONDS) if task in (None, record.task)], json)
            _print_measured([release for release in measured.poll(0) if task in (None, release.task)], json)


@app.command()
@reported
def invited(
    task: Annotated[str, typer.Argument(help="The task.")],
    round_number: Annotated[
        int | None, typer.Argument(metavar="[ROUND]", min=1, help="A round that made a model; the newest without it.")
    ] = None,
    attempt: Annotated[
        int | None, typer.Option("--attempt", min=1, help="An earlier attempt; the last without.")
    ] = None,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Compute again whom a round invites, from its base model's digest: anyone comes to the same answer."""
    parties = load_federation(federation)
    transport = connect(parties.brokers, "fluvial-rounds")
    try:
        found = invitations(transport, parties, task, round_number, attempt)
    finally:
        transport.close()
    if json:
        print_json(
            {
                "task": found.task,
                "round": found.round,
                "attempt": found.attempt,
                "seed": found.seed.hex(),
                "invited_fraction": found.invited_fraction,
                "participants": [{"participant": name, "invited": yes} for name, yes in found.participants.items()],
            }
        )
        return
    for name, yes in found.participants.items():
        console.print(f"{'invited    ' if yes else 'not invited'}  {name}", markup=False)
    counts = f"{sum(found.participants.values())} of {len(found.participants)} invited"
    console.print(
        f"round {found.round}, attempt {found.attempt}: {counts}, share {found.invited_fraction:g}, "
        f"seed {found.seed.hex()}",
        markup=False,
    )


def summary(record: Round) -> dict[str, Any]:
    """What programs get of a round."""
    return {
        "task": record.task,
        "round": record.round,
        "attempt": record.attempt,
        "status": record.status.value,
        "base_version": record.base_version,
        "base_digest": record.base_digest.hex(),
        "quorum": record.quorum,
        "target": record.target,
        "window": record.window.value,
        "max_staleness": record.max_staleness,
        "invited_fraction": record.invited_fraction,
        "opened_ms": record.opened_ms,
        "deadline_ms": record.deadline_ms,
        "rule": json_codec.loads(record.rule),
        "encodings": list(record.encodings),
    }


def line(record: Round, now_ms: int) -> str:
    """What people get of a round."""
    if is_over(record):
        ended = "removed by its operator" if record.status is RoundStatus.REMOVED else "finished"
        return f"{record.task}: {ended} with model version {record.base_version}"
    attempt = f", attempt {record.attempt}" if record.attempt > 1 else ""
    if record.status is RoundStatus.PAUSED:
        return f"{record.task}: paused by its operator before round {record.round}{attempt}"
    return (
        f"{record.task}: round {record.round}{attempt} open on model version {record.base_version}, "
        f"{what_closes(record, now_ms)}"
    )


def what_closes(record: Round, now_ms: int) -> str:
    """How many updates an open round waits for, and until when."""
    seconds = (record.deadline_ms - now_ms) / 1000
    deadline = f"{seconds:.0f} s left" if seconds > 0 else "deadline passed"
    if record.window is not WindowMode.TUMBLING and record.quorum == record.target:
        return f"closes at {record.target} updates, or fails at the deadline ({deadline})"
    at_once = "" if record.window is WindowMode.TUMBLING else f"at {record.target} updates or "
    return f"closes {at_once}with {record.quorum} at the deadline ({deadline})"


def _explain(transport: Transport, federation: Federation, task: str | None) -> None:
    """Say on standard error why there is no round to show. Raises ValueError for a task that does not exist."""
    if task is not None:
        existing_task(transport, federation, task)
    errors.print(
        f"no round {'' if task is None else f'of {plain(task)} '}was opened yet: the stage aggregation opens those of "
        "a task (`fluvial task create`, `fluvial submit`)",
        markup=False,
    )


def _print(records: list[Round], as_json: bool) -> None:
    for record in records:
        if as_json:
            print_json(summary(record))
        else:
            console.print(line(record, time.time_ns() // 1_000_000), markup=False)


def _print_measured(releases: list[Release], as_json: bool) -> None:
    for release in releases:
        if as_json:
            print_json({"measured": as_dict(release)})
            continue
        lines = as_lines(release)
        if lines:
            console.print(f"{release.task}: model version {release.version} measured: {lines[0]}", markup=False)
        for line in lines[1:]:
            console.print(line, markup=False)
        for version in sorted({told.version for told in release.participants}):
            about = [told for told in release.participants if told.version == version]
            console.print(f"{release.task}: model version {version} measured by participants:", markup=False)
            for line in participants_as_lines(about):
                console.print(f"  {line}", markup=False)
