"""`fluvial audit`: look at the audit log, verify everything that it vouches for, prove one leaf.

Exit status of `verify`: 0 verified, 1 not verified, 2 the question could not be asked (no federation.json, no broker).
"""

import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fluvial.auditor.inputs import describe
from fluvial.auditor.kafka_reader import KafkaTopicReader
from fluvial.auditor.log import read_event
from fluvial.auditor.prove import prove as prove_leaf
from fluvial.auditor.reader import ReadFailed, TopicRecord, audited_topics
from fluvial.auditor.report import Reconciled, Report
from fluvial.auditor.verify import verify as verify_federation
from fluvial.identity.federation import Federation
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError, VerificationError
from fluvial.wire.records import Receipt, Release, RoundEvent, SequencedEvent, Verdict

NOT_VERIFIED = 1
NOT_ASKED = 2
_MAX_PROBLEMS_SHOWN = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

app = typer.Typer(help="Look at the audit log, verify it, prove one of its leaves.", no_args_is_help=True)
_errors = Console(stderr=True)

FederationOption = Annotated[
    Path,
    typer.Option("--federation", envvar="FLUVIAL_FEDERATION", help="What a party needs to know of the federation."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer with JSON, for programs.")]
DEFAULT_FEDERATION = Path(".fluvial/federation.json")


@app.command()
def verify(
    federation: FederationOption = DEFAULT_FEDERATION,
    as_json: JsonOption = False,
    grace: Annotated[
        float,
        typer.Option(min=0, help="Seconds that a record of a running federation may wait for its verdict and leaf."),
    ] = 0.0,
    known: Annotated[
        Path | None,
        typer.Option(
            help="File with the checkpoint verified last: refuse a log without it, then keep the new one there."
        ),
    ] = None,
) -> None:
    """Recompute the log, its signatures and all that it vouches for. Exit status 0 only if all of it holds."""
    with _asked():
        loaded = Federation.load(federation)
        trusted = known.read_bytes() if known is not None and known.exists() else None
        with KafkaTopicReader(loaded, audited_topics(loaded.topics)) as reader:
            report = verify_federation(reader, loaded, grace_ms=round(grace * 1000), known=trusted)
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=2))
    else:
        print_report(report, Console())
    if not report.verified:
        raise typer.Exit(NOT_VERIFIED)
    if known is not None:
        known.write_text(report.checkpoint)


@app.command()
def prove(
    sequence: Annotated[int, typer.Argument(min=0, help="Sequence number of the leaf.")],
    federation: FederationOption = DEFAULT_FEDERATION,
    as_json: JsonOption = False,
    leaf: Annotated[
        Path | None, typer.Option(help="Also write the leaf's bytes to this file; the proof is of them.")
    ] = None,
) -> None:
    """Print the proof (C2SP tlog-proof) that a leaf is in the log, under the newest signed checkpoint."""
    with _asked():
        loaded = Federation.load(federation)
        topics = loaded.topics
        with KafkaTopicReader(loaded, (topics.checkpoints, topics.audit)) as reader:
            proof, leaf_bytes = prove_leaf(reader, loaded, sequence)
        if leaf is not None:
            leaf.write_bytes(leaf_bytes)
    if as_json:
        typer.echo(json.dumps({"sequence": sequence, "leaf": leaf_bytes.hex(), "proof": proof.decode()}, indent=2))
    else:
        typer.echo(proof.decode(), nl=False)


@app.command()
def tail(
    federation: FederationOption = DEFAULT_FEDERATION,
    as_json: JsonOption = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the newest leaves to show.")] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new leaves as they arrive; Ctrl-C ends.")
    ] = False,
) -> None:
    """Show the newest leaves of the log, unverified."""
    with _asked():
        loaded = Federation.load(federation)
        topic = loaded.topics.audit
        with KafkaTopicReader(loaded, (topic,)) as reader:
            for record in deque(reader.records(topic), maxlen=lines):
                _print_leaf(record, as_json)
            if follow:
                try:
                    for record in reader.follow(topic):
                        _print_leaf(record, as_json)
                except KeyboardInterrupt:
                    pass


def print_report(report: Report, console: Console) -> None:
    """Show a report to people."""
    table = Table(box=None, pad_edge=False)
    for heading in ("", "records", "in order", "pending", "expired"):
        table.add_column(heading, justify="left" if not heading else "right")
    for topic, reconciled in report.inputs.items():
        table.add_row(f"{topic} with verdicts", *_cells(reconciled))
    table.add_row("verdicts with leaves", *_cells(report.verdicts))
    table.add_row("models with leaves", *_cells(report.models))
    console.print(table)
    console.print(f"log         {escape(report.origin)}")
    console.print(
        f"leaves      {report.size}, of which {report.signed_size} signed in {report.num_checkpoints} checkpoints"
    )
    console.print(f"root        {report.signed_root or 'nothing signed'}")
    for problem in report.problems[:_MAX_PROBLEMS_SHOWN]:
        console.print(
            f"[red]problem[/red]     {escape(problem.check)}: {escape(problem.where)} {escape(problem.message)}"
        )
    if report.num_problems > _MAX_PROBLEMS_SHOWN:
        console.print(f"            and {report.num_problems - _MAX_PROBLEMS_SHOWN} more")
    if report.verified:
        pending = f"; {report.num_pending} too new to be vouched for" if report.num_pending else ""
        console.print(f"[green]verified[/green]    in {report.seconds:.1f} s{pending}")
    elif report.num_problems:
        console.print(f"[red]NOT VERIFIED[/red]: {report.num_problems} problems")
        if report.num_pending:
            console.print(
                "If the federation is running, ask again with --grace 60: its stages may answer out of order."
            )
    else:
        console.print(
            "[red]NOT VERIFIED[/red]: nothing was signed yet. Is the audit job running (fluvial submit audit)?"
        )


def _cells(reconciled: Reconciled) -> tuple[str, ...]:
    return tuple(str(n) for n in (reconciled.total, reconciled.matched, reconciled.pending, reconciled.expired))


def _print_leaf(record: TopicRecord, as_json: bool) -> None:
    try:
        sequenced = framing.decode(record.value or b"", SequencedEvent)
        event = sequenced.event
        summary = _summary(read_event(event))
    except (DecodeError, ValueError) as error:
        typer.echo(json.dumps({"offset": record.offset, "error": str(error)}) if as_json else f"{record}: {error}")
        return
    time = (_EPOCH + timedelta(milliseconds=event.time_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if as_json:
        fields = {
            "sequence": sequenced.sequence,
            "time": time,
            "type": event.type,
            "id": event.id,
            "subject": event.subject,
        }
        typer.echo(json.dumps({**fields, "summary": summary}))
    else:
        typer.echo(f"{sequenced.sequence:>8}  {time}  {event.type.split('.')[-2]:<12} {event.subject:<16.40} {summary}")


def _summary(record: Any) -> str:
    match record:
        case Verdict():
            source = (record.source_topic, record.source_partition, record.source_offset)
            return f"{describe(source)} {record.decision} {record.reason}"
        case RoundEvent():
            return f"round {record.round}, attempt {record.attempt}: {record.transition}, {record.num_updates} updates"
        case Receipt():
            return f"{record.task} round {record.round}: {record.outcome}, version {record.version}"
        case Release():
            return f"version {record.version}: " + ", ".join(f"{m.name} {m.value:.4f}" for m in record.metrics)
    if hasattr(record, "model_digest"):
        return f"version {record.version} of {record.num_selected} updates, digest {record.model_digest.hex()[:16]}"
    return str(record.status)


@contextmanager
def _asked() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        _errors.print(
            f"[red]error[/red]: {escape(str(error))}. Name the federation with --federation or FLUVIAL_FEDERATION."
        )
    except ReadFailed as error:
        _errors.print(f"[red]error[/red]: {escape(str(error))}. Is the broker up (fluvial status)?")
    except VerificationError as error:
        _errors.print(f"[red]not verified[/red]: {escape(str(error))}")
        raise typer.Exit(NOT_VERIFIED) from error
    except (OSError, ValueError) as error:
        _errors.print(f"[red]error[/red]: {escape(str(error))}")
    else:
        return
    raise typer.Exit(NOT_ASKED)
