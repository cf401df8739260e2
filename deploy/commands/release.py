"""`fluvial release verify`: compute decisions on variants again from the signed counts, and say where they differ."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Annotated

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
    shown,
)
from fluvial.kafka import connect
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.task_file import TaskFile
from governance.promotion.evidence import missing_numbers
from governance.promotion.recomputation import Compared, Outcome, compared
from pipelines.replay.decisions import read_evidence


@reported
def verify(
    task: Annotated[str, typer.Argument(help="The task.")],
    version: Annotated[int | None, typer.Argument(min=0, help="One version; all without it.")] = None,
    terms: Annotated[
        list[Path] | None,
        typer.Option(
            "--terms",
            help="A former task file that you have kept, for decisions whose terms the registry has forgotten; may be "
            "repeated. It counts where its policy has the digest that a decision names.",
            dir_okay=False,
        ),
    ] = None,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Compute every decision again. Exit status 0 only if each follows from the counts, policy and acts that it names.

    A decision of other rules of the gate than this program's is computed by this program's: where that comes to
    something else, it is not proven, and said so.

    Times and energy are signed evidence that nobody can compute again; no decision rests on them.
    """
    loaded = load_federation(federation)
    with closing(connect(loaded.brokers, "fluvial-release-verify")) as transport:
        evidence = read_evidence(transport, loaded, task, [_acceleration(file) for file in terms or ()])
    chosen = [each for each in evidence.decisions.values() if version in (None, each.version)]
    if not chosen:
        fail(f"nothing was decided on {task}" + (f", version {version}" if version is not None else ""))
    missing = missing_numbers(evidence.decisions)
    found = {each.sequence: compared(each, evidence) for each in chosen}
    good = not missing and all(each.outcome is Outcome.SAME for each in found.values())
    drawn = sum(finding.harmed < 0 for each in chosen if not each.acts for finding in each.findings)
    if json:
        decisions = [
            {"promotion": number, "outcome": each.outcome.value, "differences": list(each.differences)}
            for number, each in found.items()
        ]
        print_json({"task": task, "verified": good, "missing": missing, "drawn": drawn, "decisions": decisions})
    else:
        for each in chosen:
            place = f"{each.sequence:>5}  {_MARKS[found[each.sequence].outcome]}  version {each.version}"
            console.print(f"{place}, {shown(f'{each.variant} on {each.processor}: {each.reason}')}")
            for difference in found[each.sequence].differences:
                console.print(f"                {difference}", markup=False)
        for number in missing:
            console.print(f"{number:>5}  [red]missing[/]: decisions are numbered without gaps")
        if drawn:
            console.print(
                f"{drawn} bounds are of metrics that no counts tell (AUC, F1, errors): taken as they were signed; "
                "`fluvial variant verify` draws them again from the gate set"
            )
        console.print(f"{_verdict(good, missing, found.values())}: {len(chosen)} decisions computed again")
    if not good:
        raise typer.Exit(Exit.FAILURE)


_MARKS = {
    Outcome.SAME: "[green]same[/]      ",
    Outcome.DIFFERS: "[red]DIFFERS[/]   ",
    Outcome.OTHER_RULES: "[yellow]not proven[/]",
    Outcome.TERMS_GONE: "[yellow]not proven[/]",
}


def _verdict(good: bool, missing: list[int], found: Iterable[Compared]) -> str:
    if good:
        return "[bold green]verified[/]"
    wrong = missing or any(each.outcome is Outcome.DIFFERS for each in found)
    return "[bold red]NOT VERIFIED[/]" if wrong else "[bold yellow]not proven, and nothing shown to be wrong[/]"


def _acceleration(file: Path) -> AccelerationSpec:
    """Raises ValueError for a task file that names no variants, OSError."""
    spec = TaskFile.read(file).acceleration
    if spec is None:
        raise ValueError(f"{file}: it names no variants")
    return spec
