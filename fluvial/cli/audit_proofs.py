"""`fluvial audit verify|check-history|log|prove`: what an auditor computes itself.

Each ends with exit status 0 only if all of it was proven.
"""

from collections import Counter
from contextlib import closing, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from fluvial.auditor.check_history import HistoryReport
from fluvial.auditor.check_history import check_history as check_federations_history
from fluvial.auditor.history import CHECKED
from fluvial.auditor.kept_log import KeptLog
from fluvial.auditor.prove import prove as prove_leaf
from fluvial.auditor.reader import audited_topics
from fluvial.auditor.report import Reconciled, Report
from fluvial.auditor.signed_log import LogReport, verify_signed_log
from fluvial.auditor.verify import verify as verify_federation
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
    shown,
)
from fluvial.kafka import connect, read_to_end, snapshot
from fluvial.transparency.note import NoteKey
from fluvial.transparency.signed_leaves import Proven
from fluvial.wire.files import check_regular, read_bytes, read_text, replace_file

_MAX_PROBLEMS_SHOWN = 20
_CLIENT_ID = "fluvial-auditor"
_READ_SECONDS = 60.0


@reported
def verify(
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
    grace: Annotated[
        float,
        seconds_option(told="Seconds that a record of a running federation may wait for its verdict and leaf."),
    ] = 0.0,
    known: Annotated[
        Path | None,
        typer.Option(
            help="File with the checkpoint verified last: refuse a log without it, then keep the new one there."
        ),
    ] = None,
    since: Annotated[
        Path | None,
        typer.Option(
            help="As --known, and what has its leaf before that checkpoint is not looked at again: its topics are not "
            "read, nor its verdicts taken again. All leaves are. The file must be of an audit of everything (--known), "
            "or of one that went on from there."
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            help="File that keeps what was verified: the next time only what has come since is read and looked at. "
            "Made by the first audit; its SHA-256 stands beside it, and nobody else can read either."
        ),
    ] = None,
) -> None:
    """Recompute the log, its signatures and all that it vouches for. Exit status 0 only if all of it holds."""
    loaded = load_federation(federation)
    if sum(each is not None for each in (known, since, state)) > 1:
        fail("--since looks at less than --known, and --state at less than both: give one of them", status=Exit.USAGE)
    if since is not None and not since.exists():
        fail(f"there is no checkpoint at {since}", f"An audit of everything makes it: --known {since}.", Exit.USAGE)
    checkpoint = known or since
    kept = checkpoint or state
    if kept is not None and not kept.absolute().parent.is_dir():
        fail(f"{kept}: there is no folder {kept.parent} to keep the checkpoint in", status=Exit.USAGE)
    if checkpoint is not None:
        check_regular(checkpoint)
    trusted = read_bytes(checkpoint) if checkpoint is not None and checkpoint.exists() else None
    from_there = trusted if since is not None else None
    with (
        KeptLog(state, loaded) if state is not None else nullcontext() as before,
        snapshot(loaded.brokers, audited_topics(loaded.topics), _CLIENT_ID) as reader,
    ):
        grace_ms = round(grace * 1000)
        report = verify_federation(reader, loaded, grace_ms=grace_ms, known=trusted, since=from_there, kept=before)
    if json:
        print_json(report.to_dict())
    else:
        print_report(report, console.console)
    if not report.verified:
        raise typer.Exit(Exit.FAILURE)
    if checkpoint is not None:
        replace_file(checkpoint, report.checkpoint)


@reported
def check_history(
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
    running: Annotated[
        bool, typer.Option(help="The federation is running: what is newest may still be under way.")
    ] = True,
) -> None:
    """Hold a federation's own system to its invariants: one verdict for each input, each accepted update in one model
    or with one receipt, nothing of what was refused anywhere. Exit status 0 only if all of them hold."""
    loaded = load_federation(federation)
    with snapshot(loaded.brokers, audited_topics(loaded.topics), _CLIENT_ID) as reader:
        report = check_federations_history(reader, loaded, is_running=running)
    if json:
        print_json(asdict(report))
    else:
        _print_history(report)
    if report.violations:
        raise typer.Exit(Exit.FAILURE)


@reported
def verify_log(
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
    state: Annotated[
        Path | None,
        typer.Option(help="File that keeps how far the log is proven: the next time it goes on from there."),
    ] = None,
) -> None:
    """Verify the log alone, in bounded memory: chain, events, tree, signed roots. For everything else there is
    `verify`. Exit status 0 only if all of it holds."""
    loaded = load_federation(federation)
    if state is not None and not state.absolute().parent.is_dir():
        fail(f"{state}: there is no folder {state.parent} to keep it in", status=Exit.USAGE)
    if state is not None:
        check_regular(state)
    proven = _kept_place(state) if state is not None and state.exists() else Proven()
    topics = loaded.topics
    with (
        closing(connect(loaded.brokers, _CLIENT_ID)) as transport,
        closing(transport.read(topics.checkpoints)) as signed,
        closing(transport.read(topics.audit, {0: proven.offset})) as leaves,
    ):
        notes = (message.value or b"" for message in read_to_end(signed, _READ_SECONDS))
        records = read_to_end(leaves, _READ_SECONDS)
        report, proven = verify_signed_log(notes, records, NoteKey.parse(loaded.log_key), proven)
    if json:
        print_json(asdict(report))
    else:
        _print_log(report)
    if not report.verified:
        raise typer.Exit(Exit.FAILURE)
    if state is not None:
        replace_file(state, proven.dump() + "\n")


def _kept_place(state: Path) -> Proven:
    try:
        return Proven.load(read_text(state))
    except ValueError as error:
        raise ValueError(
            f"{state} does not hold how far a log is proven ({error}): without it all leaves are verified"
        ) from error


@reported
def prove(
    sequence: Annotated[int, typer.Argument(min=0, help="Sequence number of the leaf.")],
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
    leaf: Annotated[
        Path | None, typer.Option(help="Also write the leaf's bytes to this file; the proof is of them.")
    ] = None,
) -> None:
    """Print the proof (C2SP tlog-proof) that a leaf is in the log, under the newest signed checkpoint."""
    loaded = load_federation(federation)
    with snapshot(loaded.brokers, (loaded.topics.checkpoints, loaded.topics.audit), _CLIENT_ID) as reader:
        proof, leaf_bytes = prove_leaf(reader, loaded, sequence)
    if leaf is not None:
        replace_file(leaf, leaf_bytes)
    if json:
        print_json({"sequence": sequence, "leaf": leaf_bytes.hex(), "proof": proof.decode()})
    else:
        typer.echo(proof.decode(), nl=False)


def print_report(report: Report, console: Console) -> None:
    """Show a report to people."""
    table = Table(box=None, pad_edge=False)
    for heading in ("", "records", "in order", "pending", "expired"):
        table.add_column(heading, justify="left" if not heading else "right")
    for topic, reconciled in report.inputs.items():
        table.add_row(f"{topic} with verdicts", *_cells(reconciled))
    table.add_row("verdicts with leaves", *_cells(report.verdicts))
    table.add_row("models with leaves", *_cells(report.models))
    for kind, reconciled in report.copies.items():
        if reconciled.total or reconciled.expired:
            table.add_row(f"{kind} with leaves", *_cells(reconciled))
    console.print(table)
    console.print(f"log         {shown(report.origin)}")
    console.print(
        f"leaves      {report.size}, of which {report.signed_size} signed in {report.num_checkpoints} checkpoints"
    )
    if report.since:
        console.print(f"since       leaf {report.since}; what has its leaf before was verified then, and not now")
    console.print(f"root        {report.signed_root or 'nothing signed'}")
    if report.on_trust:
        reasons = ", ".join(f"{number} {reason}" for reason, number in report.on_trust.items())
        console.print(f"on trust    refusals that the log does not prove: {shown(reasons)}")
    if report.num_skipped:
        first = report.skipped[0]
        console.print(
            f"skipped     {report.num_skipped} records of nobody, or copies, the first {shown(first.where)}: "
            f"{shown(first.message)}"
        )
    for problem in report.problems[:_MAX_PROBLEMS_SHOWN]:
        console.print(f"[red]problem[/red]     {shown(problem.check)}: {shown(problem.where)} {shown(problem.message)}")
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


def _print_history(report: HistoryReport) -> None:
    found = Counter(violation.invariant for violation in report.violations)
    for violation in report.violations[:_MAX_PROBLEMS_SHOWN]:
        console.print(f"[red]{violation.invariant}[/red]  {shown(violation.where)} {shown(violation.message)}")
    if len(report.violations) > _MAX_PROBLEMS_SHOWN:
        console.print(f"    and {len(report.violations) - _MAX_PROBLEMS_SHOWN} more")
    broken = ", ".join(f"{invariant} ({number})" for invariant, number in sorted(found.items()))
    verdict = f"[red]BROKEN[/red]: {broken}" if broken else f"[green]kept[/green]    {', '.join(CHECKED)}"
    console.print(verdict)
    console.print(f"of {report.inputs} inputs, {report.leaves} leaves, {report.models} models")


def _print_log(report: LogReport) -> None:
    for problem in report.problems[:_MAX_PROBLEMS_SHOWN]:
        console.print(f"[red]problem[/red]     {shown(problem.where)} {shown(problem.message)}")
    for kind, number in report.events.items():
        console.print(f"{number:>10}  {shown(kind)}")
    console.print(f"leaves {report.first} to {report.size}, root {report.root}")
    verdict = (
        "[green]verified[/green]" if report.verified else f"[red]NOT VERIFIED[/red]: {report.num_problems} problems"
    )
    console.print(
        f"{verdict}    in {report.seconds:.1f} s; {report.num_unsigned} records that nothing signed covers yet"
    )


def _cells(reconciled: Reconciled) -> tuple[str, ...]:
    return tuple(str(n) for n in (reconciled.total, reconciled.matched, reconciled.pending, reconciled.expired))
