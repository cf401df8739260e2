"""`fluvial release`: what was decided on the variants of a task's models, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

import typer
from rich.markup import escape
from rich.table import Table

from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    FederationOption,
    JsonOption,
    console,
    fail,
    load_federation,
    print_json,
    reported,
)
from fluvial.identity.envelope import unseal
from fluvial.identity.federation import Federation
from fluvial.inference.releases import Releases
from fluvial.kafka import Transport, connect, read_to_end
from fluvial.wire.errors import FluvialError
from fluvial.wire.records import Promotion, Variant

_READ_SECONDS = 30.0
T = TypeVar("T", Variant, Promotion)

app = typer.Typer(help="Look at what was promoted, held and rolled back.", no_args_is_help=True)


@app.command("list")
@reported
def list_releases(
    task: Annotated[str, typer.Argument(help="The task.")],
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """The newest decision on each variant and class of processors, in the order of the decisions."""
    promotions = _releases(load_federation(federation)).promotions(task)
    if json:
        for promotion in promotions:
            print_json(_summary(promotion))
        return
    table = Table()
    for name in ("promotion", "version", "variant", "processor", "decision", "reason"):
        table.add_column(name, justify="right" if name in ("promotion", "version") else "left", overflow="fold")
    for promotion in promotions:
        cells = (promotion.variant, promotion.processor, promotion.decision.value, promotion.reason)
        table.add_row(str(promotion.sequence), str(promotion.version), *(escape(cell) for cell in cells))
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
    found = [p for p in _releases(load_federation(federation)).promotions(task) if p.sequence == sequence]
    if not found:
        fail(f"the task {task} has no decision {sequence}", f"See `fluvial release list {task}`.")
    (promotion,) = found
    if json:
        findings = [
            {name: getattr(finding, name) for name in finding.__dataclass_fields__} for finding in promotion.findings
        ]
        print_json({**_summary(promotion), "findings": findings})
        return
    console.print(f"[bold]{escape(promotion.reason)}[/]")
    console.print(f"version {promotion.version}, {escape(promotion.runtime)} on {escape(promotion.processor)}")
    table = Table()
    for name in ("metric", "group", "examples", "harmed", "helped", "value", "drop", "bound", "margin", "verdict"):
        table.add_column(name, justify="left" if name in ("metric", "group", "verdict") else "right")
    for finding in promotion.findings:
        shares = (finding.value, finding.drop, finding.bound, finding.margin)
        numbers = [str(finding.num_examples), *(str(n) if n >= 0 else "-" for n in (finding.harmed, finding.helped))]
        cells = [*numbers, *(f"{100 * share:.2f}" for share in shares)]
        table.add_row(escape(finding.metric), escape(finding.group), *cells, escape(finding.verdict))
    console.print(table)


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
    }


def _releases(federation: Federation) -> Releases:
    """All that the federation's service key signed of variants and promotions; other records are passed over."""
    releases, signer = Releases(), bytes.fromhex(federation.aggregator_key)
    transport = connect(federation.brokers, "fluvial-release")
    try:
        for variant in _signed(transport, federation.topics.variants, Variant, signer):
            releases.add_variant(variant)
        for promotion in _signed(transport, federation.topics.promotions, Promotion, signer):
            releases.add_promotion(promotion)
    finally:
        transport.close()
    return releases


def _signed(transport: Transport, topic: str, kind: type[T], signer: bytes) -> Iterator[T]:
    reader = transport.read(topic)
    try:
        for message in read_to_end(reader, _READ_SECONDS):
            try:
                yield unseal(message.value or b"", kind, signer)
            except FluvialError:
                continue
    finally:
        reader.close()
