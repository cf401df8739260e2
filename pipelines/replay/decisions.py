"""What decisions on variants rest on, read from the log with nothing but what a federation.json tells."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from hashlib import sha256

from fluvial.edge.registry import Registry
from fluvial.identity.envelope import check_kind, open_envelope, unseal
from fluvial.identity.federation import Federation
from fluvial.inference.read_releases import read_releases
from fluvial.inference.releases import Releases
from fluvial.kafka import Transport, read_all
from fluvial.registry.reading import empty_view, take, tally
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.errors import FluvialError
from fluvial.wire.framing import decode
from fluvial.wire.records import Envelope, OperatorAct, Promotion, Task
from fluvial.wire.task_file import TaskFile
from governance.promotion.evidence import Evidence, TermsOfTask
from pipelines.replay.admitted import Vouched, read_vouched

_READ_SECONDS = 30.0


def read_evidence(
    transport: Transport, federation: Federation, task: str, archived: Sequence[AccelerationSpec] = ()
) -> Evidence:
    """All that stands behind a task's decisions; every signature verified but those of operators' acts, for which the
    terms of a decision name the keys. archived: former terms that somebody has kept, for decisions whose terms the
    registry has forgotten. Raises TransportError."""
    with closing(Registry(transport, federation)) as registry:
        registry.refresh()
        vouched = read_vouched(transport, federation, iter(registry.participants()))
    releases = read_releases(transport, federation)
    _add_reports(transport, federation, vouched, releases)
    decisions = {each.sequence: each for each in releases.decisions(task)}
    places = {(each.version, each.variant) for each in decisions.values()}
    terms = _terms(transport, federation, task)
    known = {each.spec.policy.digest() for each in terms}
    forgotten = [TermsOfTask(spec=spec) for spec in archived if spec.policy.digest() not in known]
    return Evidence(
        terms=(*forgotten, *terms),
        operator_key=bytes.fromhex(federation.operator_key),
        variants={place: found for place in places if (found := releases.variant(task, *place)) is not None},
        measurements=releases.measurements_of(task),
        admitted=vouched.accepted,
        acts=_acts(transport, federation, task),
        decisions=decisions,
        decided_ms=_decided_ms(transport, federation, task),
        repeated=tuple(releases.repeated(task)),
    )


def _terms(transport: Transport, federation: Federation, task: str) -> tuple[TermsOfTask, ...]:
    """Each of a task's records that the registry took, and still has."""
    view, key, skipped = empty_view(federation), f"task/{task}", tally()
    found: list[tuple[int, AccelerationSpec | None]] = []
    for message in read_all(transport, federation.topics.registry, _READ_SECONDS):
        if message.key == key.encode() and message.value is not None and take(view, message, skipped):
            record = view.task(task)
            found.append((message.timestamp_ms, None if record is None else _spec(record)))
    turns: list[int | None] = [None, *(ms for ms, _ in found[1:]), None]  # of what there was before, nothing is known
    return tuple(
        TermsOfTask(spec=spec, from_ms=turns[number], until_ms=turns[number + 1])
        for number, (_, spec) in enumerate(found)
        if spec is not None
    )


def _spec(record: Task) -> AccelerationSpec | None:
    try:
        return TaskFile.model_validate_json(record.specification).acceleration
    except ValueError:
        return None


def _decided_ms(transport: Transport, federation: Federation, task: str) -> dict[int, int]:
    """When each decision was first written, by the broker's clock."""
    signer, found = bytes.fromhex(federation.aggregator_key), dict[int, int]()
    for message in read_all(transport, federation.topics.promotions, _READ_SECONDS):
        try:
            decision = unseal(message.value or b"", Promotion, signer, federation.topics.scope)
        except FluvialError:
            continue
        if decision.task == task:
            found.setdefault(decision.sequence, message.timestamp_ms)
    return found


def _add_reports(transport: Transport, federation: Federation, vouched: Vouched, releases: Releases) -> None:
    """What participants signed, admitted or not: a decision names one by its digest."""
    for message in read_all(transport, federation.topics.admitted_reports, _READ_SECONDS):
        value = message.value or b""
        report = vouched.genuine(value, federation.topics.scope)
        if report is not None:
            releases.add_measurement(sha256(value).digest(), report)


def _acts(transport: Transport, federation: Federation, task: str) -> dict[bytes, tuple[Envelope, OperatorAct]]:
    """What claims to be an operator's act about the task, by the SHA-256 of the records."""
    found: dict[bytes, tuple[Envelope, OperatorAct]] = {}
    for message in read_all(transport, federation.topics.operator_acts, _READ_SECONDS):
        value = message.value or b""
        try:
            envelope = open_envelope(value)
            check_kind(envelope, OperatorAct, federation.topics.scope)
            act = decode(envelope.payload, OperatorAct)
        except FluvialError:
            continue
        if act.task == task:
            found[sha256(value).digest()] = envelope, act
    return found
