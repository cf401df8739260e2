"""`fluvial measure`: measures a task's variants on this machine's own data and processor, and tells the federation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

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
    seconds_option,
)
from fluvial.cli.places import KeyOption, OutboxOption, key_path, outbox_path
from fluvial.edge import Participant
from fluvial.edge.measuring import OwnData, Sent
from fluvial.edge.packages import Packages
from fluvial.identity.keys import SigningKey
from fluvial.wire.numpy_files import read_arrays
from fluvial.wire.records import Decision, Verdict

_PREFIX = "groups."


@reported
def measure(
    task: Annotated[str, typer.Argument(help="The task; its operator must ask participants to measure.")],
    name: Annotated[str, typer.Option("--name", help="The participant's name.")],
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            help="A .npz file of examples that nothing was trained on: `inputs`, and if there are labels `targets`; "
            "`groups.ATTRIBUTE` with the group of each example as text; `people` with the number of whose it is.",
        ),
    ],
    version: Annotated[int | None, typer.Option("--version", min=0, help="The version; the newest without it.")] = None,
    wait: Annotated[
        float,
        seconds_option("--wait", told="Seconds to wait for the verdicts."),
    ] = 30.0,
    device: Annotated[str, typer.Option("--device", help="What models run on: cpu or cuda.")] = "cpu",
    package: PackageOption = None,
    key: KeyOption = None,
    outbox: OutboxOption = None,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Measure each variant that this participant has not measured yet: answers that changed, counted by group, and
    times. Examples and labels stay here; groups of fewer than ten people are left out. Variants for accelerators are
    measured with --device cuda alone, by torch and the task's own code. Exit status 1 if one of the measurements was
    refused, or has no verdict in time."""
    parties = load_federation(federation)
    key_file = key or key_path(name)
    if not key_file.exists():
        fail(f"there is no key at {key_file}", "`fluvial enrol` makes it and enrols the participant.", Exit.USAGE)
    own = read_own_data(data)
    with Participant(parties, name, SigningKey.load(key_file), outbox or outbox_path(name)) as participant:
        participant.mailbox()  # from now on, so that no verdict is missed
        sent = participant.measure(task, own, version, device=device, packages=Packages(package or ()))
        topic = parties.topics.reports
        verdicts = [participant.verdict_at(topic, one.position, wait) for one in sent]
    for one, verdict in zip(sent, verdicts, strict=True):
        _show(one, verdict, json)
    if not sent and not json:
        console.print(
            f"nothing to measure: all variants of the version that are measured on {device} have this participant's "
            "measurement"
        )
    if any(verdict is None or verdict.decision is not Decision.ACCEPT for verdict in verdicts):
        raise typer.Exit(Exit.FAILURE)


def read_own_data(path: Path) -> OwnData:
    """The examples of a .npz file. Raises ValueError that says what is wrong with it."""
    try:
        arrays = read_arrays(path)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"{path} is no .npz file of plain arrays: {error}") from error
    known = {"inputs", "targets", "people"}
    unknown = [name for name in arrays if name not in known and not name.startswith(_PREFIX)]
    if unknown or "inputs" not in arrays:
        raise ValueError(f"{path} needs inputs, and may hold targets, people and groups.ATTRIBUTE; it has {[*arrays]}")
    if "targets" in arrays and arrays["targets"].dtype.kind not in "iufb":
        raise ValueError(f"{path}: targets are {arrays['targets'].dtype}, neither classes nor values")
    groups = {}
    for name, values in arrays.items():
        if name.startswith(_PREFIX):
            names, numbers = np.unique(values.astype(str), return_inverse=True)
            groups[name.removeprefix(_PREFIX)] = numbers.astype(np.int64), tuple(names.tolist())
    return OwnData(
        inputs=np.asarray(arrays["inputs"], np.float32),
        targets=arrays.get("targets"),
        people=arrays["people"].astype(np.int64) if "people" in arrays else None,
        groups=groups or None,
    )


def _show(sent: Sent, verdict: Verdict | None, json: bool) -> None:
    measured = sent.measurement
    changed = sum(one.harmed for one in measured.counts if (one.metric, one.group) == ("agreement", "all"))
    answer = "no verdict yet" if verdict is None else f"{verdict.decision.value} ({verdict.reason.value})"
    if json:
        print_json(
            {
                "variant": measured.variant,
                "version": measured.version,
                "examples": measured.num_examples,
                "changed": changed,
                "latency_p50_us": measured.latency_p50_us,
                "throughput": measured.throughput,
                "decision": None if verdict is None else verdict.decision.value,
                "reason": None if verdict is None else verdict.reason.value,
            }
        )
        return
    console.print(
        f"{measured.variant}, version {measured.version}: {changed} of {measured.num_examples} answers changed, "
        f"{measured.latency_p50_us:.0f} µs, {measured.throughput:,.0f} examples/s: {answer}",
        markup=False,
    )
