"""`fluvial topics`: a federation's topics on brokers that are run elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from deploy.broker.lost_records import advance, look
from deploy.broker.topics import create_topics
from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    FederationOption,
    ask_consent,
    console,
    load_federation,
    print_json,
    reported,
)
from fluvial.wire.topic_policy import TopicPolicy

app = typer.Typer(
    no_args_is_help=True,
    help="""The topics of a federation on brokers of your own; `fluvial up` makes those of the embedded one.

    What you decide stands in a file, YAML or JSON. In production, for example:

    {"replication_factor": 3, "min_insync_replicas": 2, "retention_days": {"updates": 14, "quarantine": 3}}

    Verdicts and receipts are kept for `evidence_days` (183) at least, the audit log for ever.""",
)

PolicyOption = Annotated[
    Path | None,
    typer.Option("--policy", help="The file of decisions; else the defaults.", exists=True, dir_okay=False),
]


@app.command("create")
@reported
def create(federation: FederationOption = DEFAULT_FEDERATION, policy: PolicyOption = None) -> None:
    """Create the topics that are missing, and give the others the present configuration. Replicas are not moved.

    The federation's file must name the credentials of an administrator of the brokers.
    """
    parties, decided = load_federation(federation), _read(policy)
    settings = parties.topics.all_settings(parties.partitions, decided)
    create_topics(parties.brokers, settings)
    console.print(
        f"{len(settings)} topics {parties.topic_prefix}* are there, each on {decided.replication_factor} brokers",
        markup=False,
    )


@app.command("show")
@reported
def show(federation: FederationOption = DEFAULT_FEDERATION, policy: PolicyOption = None) -> None:
    """Print what `create` would ask the brokers for, as JSON, for those who create topics by other means."""
    parties = load_federation(federation)
    print_json([asdict(topic) for topic in parties.topics.all_settings(parties.partitions, _read(policy))])


@app.command("advance")
@reported
def give_up(
    topic: Annotated[str, typer.Argument(help="Its full name.")],
    partition: Annotated[int, typer.Argument(help="Its number.", min=0, max=(1 << 31) - 1)],
    offset: Annotated[int, typer.Argument(help="Where the next record is to lie.", min=1, max=(1 << 63) - 1)],
    federation: FederationOption = DEFAULT_FEDERATION,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Give up offsets that a partition has lost, where a job says that the log tells of records behind its end.

    A broker loses what it wrote last when its machine fails before that is on a disk, unless others have it. Verdicts
    and leaves on such records stay, and new records must not take their places. What the partition still holds before
    that offset is given up as well. The federation's file must name the credentials of an administrator of the brokers.
    """
    parties = load_federation(federation)
    lost = look(parties.brokers, topic, partition, offset)
    name = f"{topic}/{partition}"
    if lost.written > lost.first and not yes:
        ask_consent(f"Give up what {name} still holds as well, offsets {lost.first} to {lost.written - 1}?")
    advance(parties.brokers, lost)
    console.print(f"offsets {lost.first} to {offset - 1} of {name} were given up; submit the job again", markup=False)


def _read(policy: Path | None) -> TopicPolicy:
    return TopicPolicy() if policy is None else TopicPolicy.read(policy)
