"""`fluvial topics`: a federation's topics on brokers that are run elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from deploy.broker.topics import create_topics
from fluvial.cli.common import DEFAULT_FEDERATION, FederationOption, console, load_federation, print_json, reported
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


def _read(policy: Path | None) -> TopicPolicy:
    return TopicPolicy() if policy is None else TopicPolicy.read(policy)
