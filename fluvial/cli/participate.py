"""`fluvial participate`: takes part in a task's rounds from this machine's data."""

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    Exit,
    FederationOption,
    JsonOption,
    PackageOption,
    console,
    fail,
    load_federation,
    print_json,
    reported,
)
from fluvial.cli.places import KeyOption, OutboxOption, key_path, outbox_path
from fluvial.cli.rounds import what_closes
from fluvial.edge import Participant
from fluvial.edge.advice import advice, advice_on
from fluvial.edge.error_feedback import state_folder
from fluvial.edge.events import (
    Answered,
    ChunkAcknowledged,
    Discarded,
    Event,
    Finished,
    Interrupted,
    Judged,
    Measured,
    NotAgreed,
    NotInvited,
    NotTrained,
    Paused,
    Published,
    RoundOpened,
    SatOut,
    TooLarge,
    Trained,
    Unproven,
    Waiting,
)
from fluvial.edge.packages import Packages
from fluvial.edge.packages.output import output_apart
from fluvial.edge.too_large import REMEDY
from fluvial.edge.trainer import TrainingRequest, load_trainer, trained, training_request
from fluvial.encoding import ENCODINGS, encoder
from fluvial.identity.keys import SigningKey
from fluvial.inference.processor import check_device
from fluvial.wire.records import HeldOutMetrics, Round, Verdict
from fluvial.wire.task_file import TaskFile

_KINDS = {"enrolments": "the enrolment", "reports": "a measurement"}

DEFAULT_TRAINER = "fluvial.edge.training.participation:trainer"


@reported
def participate(
    task: Annotated[str, typer.Argument(help="The task.")],
    name: Annotated[str, typer.Option("--name", help="The participant's name.")],
    data: Annotated[Path, typer.Option("--data", help="The data to train on; the trainer reads it.")],
    index: Annotated[int, typer.Option("--index", min=0, help="Which part of the data is this participant's.")] = 0,
    num_rounds: Annotated[
        int | None, typer.Option("--rounds", min=1, help="Rounds to contribute to; all without it.")
    ] = None,
    encoding: Annotated[str, typer.Option("--encoding", help=f"Tensor encoding: {', '.join(ENCODINGS)}.")] = "float32",
    trainer: Annotated[
        str, typer.Option("--trainer", help="The training function, as module:function.")
    ] = DEFAULT_TRAINER,
    package: PackageOption = None,
    device: Annotated[str, typer.Option("--device", help="Device to train on: auto, cpu or cuda.")] = "cpu",
    tell_training: Annotated[
        bool,
        typer.Option("--tell-training", help="Say with each update how long training took, on what, and what it cost."),
    ] = False,
    tell_metrics: Annotated[
        bool,
        typer.Option(
            "--tell-metrics",
            help="Where the task asks for it, measure each round's model on the examples that are held out, and tell "
            "the metrics, of at least ten people, with the update.",
        ),
    ] = False,
    proven: Annotated[
        bool,
        typer.Option(
            "--proven/--unproven",
            help="Whether to train on no model, and believe no verdict and no receipt, before a signed leaf of the "
            "audit log proves it. Without is for a federation whose stage audit does not run.",
        ),
    ] = True,
    key: KeyOption = None,
    outbox: OutboxOption = None,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Take part in a task's rounds: train, publish updates, show what became of them.

    Ctrl-C stops; what is unsent by then is sent next time. Nothing is sent where the audit log is not one with the
    newest checkpoint that was seen before (it was forked or rolled back).
    """
    parties = load_federation(federation)
    key_file = key or key_path(name)
    if not key_file.exists():
        fail(f"there is no key at {key_file}", "`fluvial enrol` makes it and enrols the participant.", Exit.USAGE)
    if not data.exists():
        fail(f"there is no data at {data}", status=Exit.USAGE)
    train_round = load_trainer(trainer)
    if trainer == DEFAULT_TRAINER:  # before the first round, not in it
        from fluvial.edge.training.device import choose_device  # brings in torch

        trains_on = choose_device(device)
    else:  # one's own trainer may not know torch
        check_device(device)
        trains_on = "cuda" if device == "cuda" else "cpu"
    encoder(encoding)
    outbox_file = outbox or outbox_path(name)
    state = state_folder(outbox_file)
    packages = Packages(package or ())
    with Participant(parties, name, SigningKey.load(key_file), outbox_file, proven=proven) as participant:
        participant.check_log()
        signed_task = participant.task(task, enrolled=True)
        if trainer == DEFAULT_TRAINER or package:  # before the first round, not in it
            specification = TaskFile.model_validate_json(signed_task.specification)
            own_package = packages.of(specification)
        if trainer == DEFAULT_TRAINER:
            from fluvial.edge.training.participation import load_examples
            from fluvial.edge.training.task_code import TaskCode

            with output_apart():
                load_examples(TaskCode(specification, own_package), data, index)

        def request_of(base_D: NDArray[np.float32], round_: Round) -> TrainingRequest:
            return training_request(signed_task, round_, base_D, name, data, index, state, packages, device)

        def train(base_D: NDArray[np.float32], round_: Round) -> tuple[NDArray[np.float32], int] | None:
            return trained(train_round, request_of(base_D, round_), name=trainer)

        def measure(base_D: NDArray[np.float32], round_: Round) -> tuple[HeldOutMetrics, ...]:
            from fluvial.edge.training.participation import measure_held_out  # brings in torch

            return measure_held_out(request_of(base_D, round_))

        def show(event: Event) -> None:
            if json:
                print_json(as_dict(event))
            elif line := as_line(event):
                console.print(line, markup=False)

        contributed = participant.participate(
            task,
            train,
            num_rounds,
            show,
            encoding=encoding,
            tells_training=tell_training,
            device=trains_on,
            measure=measure if tell_metrics else None,
        )
    if json:
        print_json({"event": "done", "task": task, "rounds": contributed})
    else:
        console.print(f"contributed to {contributed} {'round' if contributed == 1 else 'rounds'}")


def _topic(verdict: Verdict) -> str:
    return verdict.source_topic.rpartition(".")[2]


def as_line(event: Event) -> str:
    """The event for people; empty for what they need not see."""
    match event:
        case Waiting(task=task):
            return (
                f"waiting for a round of {task}: none was opened yet; the operator's jobs open them (`fluvial submit`)"
            )
        case RoundOpened(round=found, reopened=reopened):
            again = ", attempt " + str(found.attempt) if found.attempt > 1 else ""
            doing = "continues its update" if reopened else "trains"
            return (
                f"round {found.round}{again}: {doing}, on model version {found.base_version}; "
                f"{what_closes(found, time.time_ns() // 1_000_000)}"
            )
        case NotInvited(round=found):
            return f"round {found.round}: not invited by its seed, waits for the next"
        case NotAgreed(round=found, withdrawn=withdrawn):
            why = "is withdrawn" if withdrawn else "is not signed"
            return (
                f"round {found.round}: its agreement {found.agreement} {why}, nothing is trained or sent; "
                f"`fluvial enrol --task {found.task}` shows and signs it"
            )
        case SatOut(round=found, weight=weight, min_examples=least):
            return f"  sits round {found.round} out: {weight} examples, and it takes {least} or more"
        case NotTrained(round=found, reason=reason):
            return f"  round {found.round} goes on without an update of this participant: {reason}"
        case Measured(metrics=(everything, *_)):
            values = ", ".join(f"{metric.name} {metric.value:.4f}" for metric in everything.metrics)
            return f"  measured on {everything.num_examples} examples that are held out: {values}"
        case Measured():
            return ""
        case Trained(weight=weight, seconds=seconds):
            return f"  trained on {weight} examples in {seconds:.1f} s"
        case TooLarge(excess=found_excess):
            return f"  beyond the task's limits, so it will be refused: {found_excess.in_words()}; {REMEDY}"
        case Published(update_id=update_id, num_uploaded=num_uploaded):
            sent = f" ({num_uploaded} {'chunk' if num_uploaded == 1 else 'chunks'} sent)" if num_uploaded else ""
            return f"  published {update_id}{sent}"
        case Discarded(round=number):
            return f"  round {number} is over: its unsent update is dropped"
        case Judged(verdict=verdict):
            about = f"round {verdict.round}" if verdict.round else _KINDS.get(_topic(verdict), _topic(verdict))
            why = f": {hint}" if (hint := advice(verdict)) else ""
            return f"  verdict on {about}: {verdict.decision.value} ({verdict.reason.value}){why}"
        case Answered(receipt=receipt):
            version = f", model version {receipt.version}" if receipt.version else ""
            why = f": {hint}" if (hint := advice_on(receipt)) else ""
            return f"  receipt for round {receipt.round}: {receipt.outcome.value}{version}{why}"
        case Interrupted(reason=reason):
            return f"  trying again: {reason}"
        case Unproven(num_answers=count):
            return (
                f"  {count} {'answer is' if count == 1 else 'answers are'} not told: the audit log does not prove "
                f"{'it' if count == 1 else 'them'} yet"
            )
        case Paused():
            return "the task is paused by its operator: waiting"
        case Finished(version=version, removed=True):
            return f"the task was removed by its operator; its last model is version {version}"
        case Finished(version=version):
            return f"the task is finished with model version {version}"
        case ChunkAcknowledged():
            return ""


def as_dict(event: Event) -> dict[str, Any]:
    """The event for programs: its kind and its plain fields."""
    match event:
        case Waiting(task=name):
            fields: dict[str, Any] = {"task": name}
        case RoundOpened(round=found, reopened=reopened):
            fields = {
                "round": found.round,
                "attempt": found.attempt,
                "reopened": reopened,
                "quorum": found.quorum,
                "target": found.target,
                "deadline_ms": found.deadline_ms,
            }
        case NotInvited(round=found):
            fields = {"round": found.round, "attempt": found.attempt}
        case NotAgreed(round=found, withdrawn=withdrawn):
            fields = {"round": found.round, "agreement": found.agreement, "withdrawn": withdrawn}
        case SatOut(round=found, weight=weight, min_examples=least):
            fields = {"round": found.round, "weight": weight, "min_examples": least}
        case NotTrained(round=found, reason=reason):
            fields = {"round": found.round, "reason": reason}
        case Measured(round=found, metrics=told):
            groups = [
                {
                    "attribute": group.attribute,
                    "group": group.group,
                    "num_examples": group.num_examples,
                    "metrics": {metric.name: metric.value for metric in group.metrics},
                }
                for group in told
            ]
            fields = {"round": found.round, "measured": groups}
        case Trained(round=found, weight=weight, seconds=seconds):
            fields = {"round": found.round, "weight": weight, "seconds": seconds}
        case TooLarge(round=found, excess=found_excess):
            fields = {"round": found.round, **{name: getattr(found_excess, name) for name in found_excess.__slots__}}
        case ChunkAcknowledged(round=number, num_acknowledged=kept, num_chunks=total):
            fields = {"round": number, "num_acknowledged": kept, "num_chunks": total}
        case Published(round=number, attempt=attempt, update_id=update_id, num_uploaded=num_uploaded):
            fields = {"round": number, "attempt": attempt, "update_id": update_id, "num_uploaded": num_uploaded}
        case Discarded(round=number):
            fields = {"round": number}
        case Judged(verdict=verdict):
            fields = {
                "round": verdict.round,
                "attempt": verdict.attempt,
                "update_id": verdict.update_id,
                "decision": verdict.decision.value,
                "reason": verdict.reason.value,
            }
        case Answered(receipt=receipt):
            fields = {
                "round": receipt.round,
                "update_id": receipt.update_id,
                "outcome": receipt.outcome.value,
                "version": receipt.version,
            }
        case Unproven(num_answers=count):
            fields = {"num_answers": count}
        case Interrupted(reason=reason):
            fields = {"reason": reason}
        case Paused(round=found):
            fields = {"round": found.round, "attempt": found.attempt}
        case Finished(version=version, removed=removed):
            fields = {"version": version, "removed": removed}
    return {"event": type(event).__name__, **fields}
