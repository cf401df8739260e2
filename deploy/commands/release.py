"""`fluvial release verify`: compute decisions on variants again from the signed counts, and say where they differ."""

from __future__ import annotations

from contextlib import closing
from hashlib import sha256
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
from fluvial.edge.registry import Registry
from fluvial.identity.envelope import open_envelope, unseal, verify_envelope
from fluvial.identity.federation import Federation
from fluvial.inference.read_releases import read_releases
from fluvial.inference.releases import Releases
from fluvial.kafka import Transport, connect, read_to_end
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.errors import FluvialError
from fluvial.wire.framing import decode
from fluvial.wire.media_types import media_type
from fluvial.wire.records import Measurement, OperatorAct
from fluvial.wire.task_file import TaskFile
from governance.promotion.recomputation import Evidence, differences, missing_numbers

_READ_SECONDS = 30.0


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
        spec = _spec(transport, loaded, task)
        releases = read_releases(transport, loaded)
        _add_reports(transport, loaded, releases)
        evidence = _evidence(releases, task, spec, _acts(transport, loaded, task, spec))
    chosen = [each for each in evidence.decisions.values() if version in (None, each.version)]
    if not chosen:
        fail(f"nothing was decided on {task}" + (f", version {version}" if version is not None else ""))
    missing = missing_numbers(evidence.decisions)
    found = {each.sequence: differences(each, evidence) for each in chosen}
    good = not missing and not any(found.values())
    if json:
        decisions = [{"promotion": number, "differences": differs} for number, differs in found.items()]
        print_json({"task": task, "verified": good, "missing": missing, "decisions": decisions})
    else:
        for each in chosen:
            mark = "[red]DIFFERS[/]" if found[each.sequence] else "[green]same[/]   "
            console.print(f"{each.sequence:>5}  {mark}  version {each.version}, ", end="")
            console.print(f"{each.variant} on {each.processor}: {each.reason}", markup=False)
            for difference in found[each.sequence]:
                console.print(f"                {difference}", markup=False)
        for number in missing:
            console.print(f"{number:>5}  [red]missing[/]: decisions are numbered without gaps")
        verdict = "[bold green]verified[/]" if good else "[bold red]NOT VERIFIED[/]"
        console.print(f"{verdict}: {len(chosen)} decisions computed again")
    if not good:
        raise typer.Exit(Exit.FAILURE)


def _spec(transport: Transport, federation: Federation, task: str) -> AccelerationSpec | None:
    with closing(Registry(transport, federation)) as registry:
        registry.refresh()
        record = registry.task(task)
    return None if record is None else TaskFile.model_validate_json(record.specification).acceleration


def _add_reports(transport: Transport, federation: Federation, releases: Releases) -> None:
    """What participants measured and validation admitted, each believed for its participant's signature."""
    reports = transport.read(federation.topics.admitted_reports)
    with closing(Registry(transport, federation)) as registry, closing(reports):
        registry.refresh()
        for message in read_to_end(reports, _READ_SECONDS):
            value = message.value or b""
            try:
                participant = registry.participant(open_envelope(value).signatures[0].keyid)
                if participant is None:
                    continue
                report = unseal(value, Measurement, participant.public_key)
            except FluvialError:
                continue
            if report.measurer == participant.participant:
                releases.add_measurement(sha256(value).digest(), report)


def _evidence(releases: Releases, task: str, spec: AccelerationSpec | None, acts: dict[bytes, OperatorAct]) -> Evidence:
    decisions = {each.sequence: each for each in releases.decisions(task)}
    measurements: dict[bytes, Measurement] = {}
    for digest in {digest for each in decisions.values() for digest in each.measurements}:
        measurement = releases.measurement(digest)
        if measurement is not None:
            measurements[digest] = measurement
    places = {(each.version, each.variant) for each in decisions.values()}
    variants = {place: variant for place in places if (variant := releases.variant(task, *place)) is not None}
    return Evidence(spec=spec, variants=variants, measurements=measurements, acts=acts, decisions=decisions)


def _acts(
    transport: Transport, federation: Federation, task: str, spec: AccelerationSpec | None
) -> dict[bytes, OperatorAct]:
    """What the task's operators signed, by the SHA-256 of the records."""
    found: dict[bytes, OperatorAct] = {}
    keys = {} if spec is None else spec.policy.keys_of_operators(bytes.fromhex(federation.operator_key))
    with closing(transport.read(federation.topics.operator_acts)) as reader:
        for message in read_to_end(reader, _READ_SECONDS):
            value = message.value or b""
            try:
                envelope = open_envelope(value)
                act = decode(envelope.payload, OperatorAct)
            except FluvialError:
                continue
            key = keys.get(act.operator)
            genuine = envelope.payload_type == media_type(OperatorAct) and act.task == task
            if key is not None and genuine and verify_envelope(envelope, key):
                found[sha256(value).digest()] = act
    return found
