"""`fluvial release`: what was decided on the variants of a task's models, and why."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Any

import typer
from rich.table import Table

from fluvial.cli import release_acts
from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    FederationOption,
    JsonOption,
    console,
    fail,
    load_federation,
    print_json,
    reported,
    shown,
)
from fluvial.edge.registry import existing_task
from fluvial.identity.federation import Federation
from fluvial.inference.read_releases import read_releases
from fluvial.inference.releases import Releases
from fluvial.kafka import connect
from fluvial.wire.records import GroupFinding, Promotion

app = typer.Typer(help="Look at what was promoted, held and rolled back; act upon it.", no_args_is_help=True)
app.command("promote")(release_acts.promote)
app.command("hold")(release_acts.hold)
app.command("rollback")(release_acts.rollback)


@app.command("list")
@reported
def list_releases(
    task: Annotated[str, typer.Argument(help="The task.")],
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """The newest decision on each variant and class of processors, in the order of the decisions."""
    found = load_federation(federation)
    promotions = _releases(found).promotions(task)
    if not promotions:
        with closing(connect(found.brokers, "fluvial-release")) as transport:
            existing_task(transport, found, task)
    if json:
        for promotion in promotions:
            print_json(_summary(promotion))
        return
    if not promotions:
        console.print(
            f"nothing was decided on {task} yet: variants are built and judged as versions are published, by the "
            "stages acceleration and promotion",
            markup=False,
        )
        return
    table = Table()
    for name in ("promotion", "version", "variant", "processor", "decision", "reason"):
        table.add_column(name, justify="right" if name in ("promotion", "version") else "left", overflow="fold")
    for promotion in promotions:
        cells = (promotion.variant, promotion.processor, promotion.decision.value, promotion.reason)
        table.add_row(str(promotion.sequence), str(promotion.version), *(shown(cell) for cell in cells))
    console.print(table)


@app.command()
@reported
def show(
    task: Annotated[str, typer.Argument(help="The task.")],
    sequence: Annotated[int, typer.Argument(metavar="PROMOTION", help="Number of the decision.")],
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """One decision with every comparison behind it, worst first."""
    promotion = _decision(_releases(load_federation(federation)), task, sequence)
    if json:
        print_json({**_summary(promotion), "findings": [_numbers(finding) for finding in promotion.findings]})
        return
    console.print(f"[bold]{shown(promotion.reason)}[/]")
    console.print(f"version {promotion.version}, {shown(promotion.runtime)} on {shown(promotion.processor)}")
    table = Table()
    for name in ("metric", "group", "examples", "harmed", "helped", "value", "drop", "bound", "margin", "verdict"):
        table.add_column(name, justify="left" if name in ("metric", "group", "verdict") else "right")
    for finding in promotion.findings:
        unit = _unit(finding.metric)
        amounts = (finding.value, finding.drop, finding.bound, finding.margin)
        numbers = [str(finding.num_examples), *(str(n) if n >= 0 else "-" for n in (finding.harmed, finding.helped))]
        cells = [*numbers, *(f"{unit * amount:.2f}" for amount in amounts)]
        table.add_row(shown(finding.metric), shown(finding.group), *cells, shown(finding.verdict))
    console.print(table)


@app.command()
@reported
def diff(
    task: Annotated[str, typer.Argument(help="The task.")],
    first: Annotated[int, typer.Argument(metavar="PROMOTION", help="Number of a decision.")],
    second: Annotated[int, typer.Argument(metavar="PROMOTION", help="Number of another.")],
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Two decisions beside each other: what was decided, and the value of every metric and group that differs."""
    releases = _releases(load_federation(federation))
    decisions = _decision(releases, task, first), _decision(releases, task, second)
    values = [{(f.metric, f.group): f.value for f in decision.findings} for decision in decisions]
    places = sorted(place for place in values[0].keys() | values[1].keys() if not _same(values, place))
    size = [_bytes(releases, decision) for decision in decisions]
    if json:
        changed = [
            {"metric": metric, "group": group, "values": [value.get((metric, group)) for value in values]}
            for metric, group in places
        ]
        summaries = [{**_summary(each), "bytes": n} for each, n in zip(decisions, size, strict=True)]
        print_json({"decisions": summaries, "changed": changed})
        return
    table = Table("", str(first), str(second))
    rows = [
        ("version", *(str(decision.version) for decision in decisions)),
        ("variant", *(decision.variant for decision in decisions)),
        ("processor", *(decision.processor for decision in decisions)),
        ("decision", *(decision.decision.value for decision in decisions)),
        ("bytes", *("-" if n is None else f"{n:,}" for n in size)),
        *(
            (f"{metric} of {group}", *(_points(metric, value.get((metric, group))) for value in values))
            for metric, group in places
        ),
    ]
    for row in rows:
        table.add_row(*(shown(cell) for cell in row))
    console.print(table)


def _same(values: list[dict[tuple[str, str], float]], place: tuple[str, str]) -> bool:
    return values[0].get(place) == values[1].get(place)


def _points(metric: str, value: float | None) -> str:
    return "-" if value is None else f"{_unit(metric) * value:.2f}"


def _unit(metric: str) -> int:
    """What a value is told in: errors in the targets' unit, all else, which are shares, in hundredths."""
    from fluvial.wire.promotion_policy import ERRORS  # late: a list of decisions tells no values

    return 1 if metric in ERRORS else 100


def _bytes(releases: Releases, decision: Promotion) -> int | None:
    variant = releases.variant(decision.task, decision.version, decision.variant)
    return None if variant is None else variant.artefact_bytes


def _decision(releases: Releases, task: str, sequence: int) -> Promotion:
    decision = releases.decision(task, sequence)
    if decision is None:
        fail(f"the task {task} has no decision {sequence}", f"See `fluvial release list {task}`.")
    return decision


def _numbers(finding: GroupFinding) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in finding.__dataclass_fields__}


def _summary(promotion: Promotion) -> dict[str, Any]:
    return {
        "promotion": promotion.sequence,
        "version": promotion.version,
        "variant": promotion.variant,
        "runtime": promotion.runtime,
        "processor": promotion.processor,
        "decision": promotion.decision.value,
        "reason": promotion.reason,
        "artefact_sha256": promotion.artefact_sha256.hex(),
        "policy_sha256": promotion.policy_sha256.hex(),
        "measurements": [digest.hex() for digest in promotion.measurements],
        "signers": list(promotion.signers),
    }


def _releases(federation: Federation) -> Releases:
    with closing(connect(federation.brokers, "fluvial-release")) as transport:
        return read_releases(transport, federation, ("variants", "promotions"))
