"""What decisions on variants rest on, read from the log with nothing but what a federation.json tells."""

from __future__ import annotations

from contextlib import closing
from hashlib import sha256

from fluvial.edge.registry import Registry
from fluvial.identity.envelope import open_envelope, unseal, verify_envelope
from fluvial.identity.federation import Federation
from fluvial.inference.read_releases import read_releases
from fluvial.inference.releases import Releases
from fluvial.kafka import Transport, read_to_end
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.errors import FluvialError
from fluvial.wire.framing import decode
from fluvial.wire.media_types import media_type
from fluvial.wire.records import Measurement, OperatorAct
from fluvial.wire.task_file import TaskFile
from governance.promotion.recomputation import Evidence

_READ_SECONDS = 30.0


def read_evidence(transport: Transport, federation: Federation, task: str) -> Evidence:
    """All that stands behind a task's decisions, every signature verified. Raises TransportError."""
    with closing(Registry(transport, federation)) as registry:
        registry.refresh()
        record = registry.task(task)
        spec = None if record is None else TaskFile.model_validate_json(record.specification).acceleration
        releases = read_releases(transport, federation)
        _add_reports(transport, federation, registry, releases)
    return _evidence(releases, task, spec, _acts(transport, federation, task, spec))


def _add_reports(transport: Transport, federation: Federation, registry: Registry, releases: Releases) -> None:
    """What participants measured and validation admitted, each believed for its participant's signature."""
    with closing(transport.read(federation.topics.admitted_reports)) as reports:
        for message in read_to_end(reports, _READ_SECONDS):
            value = message.value or b""
            try:
                participant = registry.participant(open_envelope(value).signatures[0].keyid)
                if participant is None:
                    continue
                report = unseal(value, Measurement, participant.public_key, federation.topics.scope)
            except FluvialError:
                continue
            if report.measurer == participant.participant:
                releases.add_measurement(sha256(value).digest(), report)


def _evidence(releases: Releases, task: str, spec: AccelerationSpec | None, acts: dict[bytes, OperatorAct]) -> Evidence:
    decisions = {each.sequence: each for each in releases.decisions(task)}
    measurements = releases.measurements_of(task)
    places = {(each.version, each.variant) for each in decisions.values()}
    variants = {place: variant for place in places if (variant := releases.variant(task, *place)) is not None}
    return Evidence(
        spec=spec,
        variants=variants,
        measurements=measurements,
        acts=acts,
        decisions=decisions,
        repeated=tuple(releases.repeated(task)),
    )


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
            genuine = envelope.payload_type == media_type(OperatorAct, federation.topics.scope) and act.task == task
            if key is not None and genuine and verify_envelope(envelope, key):
                found[sha256(value).digest()] = act
    return found
