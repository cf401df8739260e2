"""`fluvial governance`: what a federation should know of itself."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    FederationOption,
    JsonOption,
    console,
    load_federation,
    print_json,
    reported,
)
from fluvial.kafka import connect
from fluvial.wire.files import replace_file
from governance.training_account import DEVICE_WORDS, GROUP_WORDS, TrainingAccount
from pipelines.replay.training import read_account

app = typer.Typer(no_args_is_help=True, help="What a federation should know of itself.")


@app.callback()
def _group() -> None:
    """Keeps `acceleration` a verb of its own."""


@app.command()
@reported
def acceleration(
    task: Annotated[str, typer.Argument(help="The task.")],
    html: Annotated[Path | None, typer.Option(help="Write it as a page with plots to this file, too.")] = None,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Speed and cost of training by class of devices, as participants tell them, and who is left behind by deadlines
    and sampling: shares of invitations met and of updates included, by kind of device, and Jain's index."""
    loaded = load_federation(federation)
    with closing(connect(loaded.brokers, "fluvial-governance")) as transport:
        found = read_account(transport, loaded, task)
    if html is not None:
        from pipelines.replay.training_page import page  # brings in matplotlib

        replace_file(html, page(task, found))
    if json:
        print_json(asdict(found))
        return
    _print(found)


def _print(found: TrainingAccount) -> None:
    devices = Table(title="Training, as participants tell", title_justify="left")
    for name in ("device", "precision", "participants", "updates", "examples/s", "speed-up", "CPU s", "joules", "sent"):
        devices.add_column(name, justify="left" if name in ("device", "precision") else "right")
    for one in found.devices:
        joules = f"{one.joules:.2f}" if one.joules else "-"
        numbers = (f"{one.examples_per_second:,.0f}", f"{one.speed_up:.2f}", f"{one.processor_seconds:.3f}", joules)
        devices.add_row(
            escape(one.device),
            escape(one.precision),
            str(one.participants),
            str(one.updates),
            *numbers,
            f"{one.bytes_sent:,.0f}",
        )
    groups = Table(title="Who is in the rounds", title_justify="left")
    for name in ("kind of device", "participants", "uninvited", "invitations", "met", "included", "late"):
        groups.add_column(name, justify="left" if name == "kind of device" else "right")
    for each in found.groups:
        counts = (str(number) for number in (each.participants, each.uninvited, each.invitations))
        shares = (f"{100 * share:.1f} %" for share in (each.met, each.included, each.late))
        groups.add_row(escape(each.group), *counts, *shares)
    if found.devices:
        console.print(devices)
        console.print(DEVICE_WORDS, "\n")
    console.print(groups)
    console.print(GROUP_WORDS, "\n")
    console.print(f"Jain's index of included updates: {found.jain_index:.3f} (1: all participants have as many)")
    if found.silent:
        console.print(f"{found.silent} accepted updates do not say how they were trained (participate --tell-training)")
