"""`fluvial release verify`: compute decisions on variants again from the signed counts, and say where they differ."""

from __future__ import annotations

from contextlib import closing
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
)
from fluvial.kafka import connect
from governance.promotion.recomputation import differences, missing_numbers
from pipelines.replay.decisions import read_evidence


@reported
def verify(
    task: Annotated[str, typer.Argument(help="The task.")],
    version: Annotated[int | None, typer.Argument(min=0, help="One version; all without it.")] = None,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Compute every decision again. Exit status 0 only if each follows from the counts, policy and acts that it names.

    Times and energy are signed evidence that nobody can compute again; no decision rests on them.
    """
    loaded = load_federation(federation)
    with closing(connect(loaded.brokers, "fluvial-release-verify")) as transport:
        evidence = read_evidence(transport, loaded, task)
    chosen = [each for each in evidence.decisions.values() if version in (None, each.version)]
    if not chosen:
        fail(f"nothing was decided on {task}" + (f", version {version}" if version is not None else ""))
    missing = missing_numbers(evidence.decisions)
    found = {each.sequence: differences(each, evidence) for each in chosen}
    good = not missing and not any(found.values())
    drawn = sum(finding.harmed < 0 for each in chosen if not each.acts for finding in each.findings)
    if json:
        decisions = [{"promotion": number, "differences": differs} for number, differs in found.items()]
        print_json({"task": task, "verified": good, "missing": missing, "drawn": drawn, "decisions": decisions})
    else:
        for each in chosen:
            mark = "[red]DIFFERS[/]" if found[each.sequence] else "[green]same[/]   "
            console.print(f"{each.sequence:>5}  {mark}  version {each.version}, ", end="")
            console.print(f"{each.variant} on {each.processor}: {each.reason}", markup=False)
            for difference in found[each.sequence]:
                console.print(f"                {difference}", markup=False)
        for number in missing:
            console.print(f"{number:>5}  [red]missing[/]: decisions are numbered without gaps")
        if drawn:
            console.print(
                f"{drawn} bounds are of metrics that no counts tell (AUC, F1, errors): taken as they were signed; "
                "`fluvial variant verify` draws them again from the gate set",
                soft_wrap=True,
            )
        verdict = "[bold green]verified[/]" if good else "[bold red]NOT VERIFIED[/]"
        console.print(f"{verdict}: {len(chosen)} decisions computed again")
    if not good:
        raise typer.Exit(Exit.FAILURE)
