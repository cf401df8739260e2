"""`fluvial release promote|hold|rollback`: what operators sign about a decision."""

from __future__ import annotations

import time
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    Exit,
    FederationOption,
    JsonOption,
    console,
    fail,
    load_federation,
    print_json,
    reported,
    seconds_option,
)
from fluvial.edge.registry import Registry
from fluvial.identity.envelope import seal
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.inference.read_releases import read_releases
from fluvial.inference.releases import Releases
from fluvial.kafka import Transport, connect
from fluvial.wire.errors import FluvialError
from fluvial.wire.names import FEDERATION_OPERATOR
from fluvial.wire.operator_acts import check_step
from fluvial.wire.records import OperatorAct, OperatorStep, Promotion

if TYPE_CHECKING:
    from fluvial.wire.acceleration import AccelerationSpec

_LOOK_SECONDS = 0.25

TaskArgument = Annotated[str, typer.Argument(help="The task.")]
DecisionArgument = Annotated[int, typer.Argument(metavar="PROMOTION", min=1, help="Number of the decision.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why: it goes into the audit log, for everybody to read.")]
KeyFileOption = Annotated[Path, typer.Option("--key", help="The operator's private key.", dir_okay=False)]
NameOption = Annotated[
    str, typer.Option("--name", help="The operator's name in the task's policy, `operator` where it names none.")
]
WaitOption = Annotated[
    float,
    seconds_option("--wait", told="Seconds to wait for the stage to act upon it."),
]


@reported
def promote(
    task: TaskArgument,
    sequence: DecisionArgument,
    reason: ReasonOption,
    key: KeyFileOption,
    name: NameOption = FEDERATION_OPERATOR,
    wait: WaitOption = 30.0,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Sign that a variant shown to be within its margins may serve. As many must sign as the task's policy says."""
    _act(OperatorStep.PROMOTE, task, sequence, reason, key, name, wait, federation, json)


@reported
def hold(
    task: TaskArgument,
    sequence: DecisionArgument,
    reason: ReasonOption,
    key: KeyFileOption,
    name: NameOption = FEDERATION_OPERATOR,
    wait: WaitOption = 30.0,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Hold a variant for good, whatever was measured. One operator is enough; whoever mends it builds another."""
    _act(OperatorStep.HOLD, task, sequence, reason, key, name, wait, federation, json)


@reported
def rollback(
    task: TaskArgument,
    sequence: DecisionArgument,
    reason: ReasonOption,
    key: KeyFileOption,
    name: NameOption = FEDERATION_OPERATOR,
    wait: WaitOption = 30.0,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Take a promotion back: what was promoted before it serves again. One operator is enough."""
    _act(OperatorStep.ROLL_BACK, task, sequence, reason, key, name, wait, federation, json)


def _act(
    step: OperatorStep,
    task: str,
    sequence: int,
    reason: str,
    key_file: Path,
    name: str,
    wait: float,
    federation_file: Path,
    json: bool,
) -> None:
    federation, key = load_federation(federation_file), SigningKey.load(key_file)
    with closing(connect(federation.brokers, "fluvial-operator")) as transport:
        spec = _spec(transport, federation, task)
        keys = spec.policy.keys_of_operators(bytes.fromhex(federation.operator_key))
        if keys.get(name) != key.public_key:
            fail(
                f"{key_file} is not the key of the operator {name!r} of {task}",
                f"The task's policy names {', '.join(sorted(keys))}; say who you are with --name.",
                Exit.USAGE,
            )
        decision = _newest(read_releases(transport, federation, ("promotions",)), task, sequence)
        check_step(step, decision.decision, reason)
        if step is OperatorStep.PROMOTE and decision.policy_sha256 != spec.policy.digest():
            fail(
                f"decision {sequence} was made under former terms of {task}: it is promoted by nobody",
                f"The stage promotion decides again under the new ones; see `fluvial release list {task}`.",
            )
        act = OperatorAct(
            task=task,
            promotion=sequence,
            artefact_sha256=decision.artefact_sha256,
            step=step,
            operator=name,
            reason=reason,
            created_ms=int(time.time() * 1000),
        )
        record = seal(act, key, name, federation.topics.scope)
        transport.produce(federation.topics.operator_acts, record, key=task.encode()).result()
        followed = _await(transport, federation, task, sha256(record).digest(), wait)
    enough = max(1, spec.policy.operators) if step is OperatorStep.PROMOTE else 1
    if json:
        print_json({"task": task, "promotion": followed.sequence if followed else None, "needed": enough})
    if followed is not None:
        if not json:
            console.print(f"decision {followed.sequence}: {followed.reason}", markup=False)
    elif enough > 1:
        if not json:
            console.print(f"signed as {name}; {enough} operators must sign before it is promoted", markup=False)
    else:
        fail(
            f"signed, but nothing followed within {wait:.0f} s",
            "Is the stage promotion running (fluvial submit promotion)? It acts upon what was signed when it starts.",
        )


def _spec(transport: Transport, federation: Federation, task: str) -> AccelerationSpec:
    with closing(Registry(transport, federation)) as registry:
        registry.refresh()
        record = registry.task(task)
    from fluvial.wire.task_file import TaskFile  # late: who looks at releases reads no task's file

    spec = None if record is None else TaskFile.model_validate_json(record.specification).acceleration
    if spec is None:
        raise FluvialError(f"there is no task {task}, or it names no variants")
    return spec


def _newest(releases: Releases, task: str, sequence: int) -> Promotion:
    """The decision, if it is the last word on its variant. Ends the command otherwise."""
    decision = releases.decision(task, sequence)
    if decision is None:
        fail(f"the task {task} has no decision {sequence}", f"See `fluvial release list {task}`.")
    if decision not in releases.promotions(task):
        fail(f"decision {sequence} was followed by another", f"See `fluvial release list {task}`.")
    return decision


def _await(
    transport: Transport, federation: Federation, task: str, act_sha256: bytes, seconds: float
) -> Promotion | None:
    """The decision that rests on the act; None if there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        for decision in read_releases(transport, federation, ("promotions",)).decisions(task):
            if act_sha256 in decision.acts:
                return decision
        if time.monotonic() > deadline:
            return None
        time.sleep(_LOOK_SECONDS)
