"""What verdicts and models are held against: the log, the keys, the rounds and the manifests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fluvial.auditor.approvals import Registered, check_approvals
from fluvial.auditor.checkpoints import newest_signed
from fluvial.auditor.inputs import Rejudge
from fluvial.auditor.kept_log import KeptLog
from fluvial.auditor.keys import read_keys
from fluvial.auditor.log import Log, read_signed_log
from fluvial.auditor.manifests import ManifestKeys, Manifests, read_manifests
from fluvial.auditor.patience import Patience
from fluvial.auditor.reader import TopicReader, TopicRecord
from fluvial.auditor.rejudgement import Rejudgement
from fluvial.auditor.report import Findings
from fluvial.auditor.rounds import Rounds, read_rounds
from fluvial.identity.federation import Federation
from fluvial.registry.records import open_registry_record
from fluvial.transparency.note import NoteKey
from fluvial.wire.errors import DecodeError, VerificationError
from fluvial.wire.records import Task


@dataclass(frozen=True, slots=True)
class Evidence:
    """judges: how the verdicts on each topic of inputs are taken again. lacks_leaves: whether a checkpoint was signed
    of leaves that the log does not have, or not so."""

    log_key: NoteKey
    log: Log
    lacks_leaves: bool
    rounds: Rounds
    manifests: Manifests
    rejudgement: Rejudgement
    judges: Mapping[str, Rejudge]


def read_evidence(
    reader: TopicReader,
    federation: Federation,
    patience: Patience,
    findings: Findings,
    kept: KeptLog | None = None,
) -> Evidence:
    """Read and check it. kept: what a former audit has verified of the log. findings: of all but the log itself, which
    has its own. Raises ValueError for a malformed key in federation.json, and what the reader raises."""
    topics = federation.topics
    log_key = NoteKey.parse(federation.log_key)
    operator_key, registrar_key = bytes.fromhex(federation.operator_key), bytes.fromhex(federation.registrar_key)
    aggregator_key = bytes.fromhex(federation.aggregator_key)
    newest = newest_signed(reader.records(topics.checkpoints), log_key)
    log = read_signed_log(reader, topics.audit, newest, kept=kept)
    keys = read_keys(reader.records(topics.registry), log, registrar_key, operator_key, findings, topics.scope)
    tasks = _tasks(reader.records(topics.registry), operator_key, registrar_key, topics.scope)
    rounds = read_rounds(
        reader.records(topics.rounds), log, topics.events, aggregator_key, patience, findings, topics.scope
    )
    manifest_keys = ManifestKeys(aggregator=aggregator_key, operator=operator_key, scope=topics.scope)
    manifests = read_manifests(reader.records(topics.models), manifest_keys, findings, log.shelf)
    rejudgement = Rejudgement(
        log,
        keys,
        rounds,
        manifests.by_version,
        {each.task.task: each.where.timestamp_ms for each in tasks},
        partitions=federation.partitions,
        events_topic=topics.events,
        scope=topics.scope,
    )
    if unsigned := check_approvals(tasks, rounds.signed.values(), findings.problems):
        rejudgement.on_trust["TERMS"] += unsigned
    judges = {
        topics.updates: rejudgement.update,
        topics.enrolments: rejudgement.request,
        topics.reports: rejudgement.report,
    }
    lacks_leaves = newest is not None and log.contradicts(newest)
    return Evidence(log_key, log, lacks_leaves, rounds, manifests, rejudgement, judges)


def _tasks(records: Iterator[TopicRecord], operator_key: bytes, registrar_key: bytes, scope: str) -> list[Registered]:
    """The records of tasks that the registry still has."""
    tasks: list[Registered] = []
    for record in records:
        key = (record.key or b"").decode(errors="replace")
        if record.value is None or not key.startswith("task/"):
            continue
        try:
            task = open_registry_record(key, record.value, operator_key, registrar_key, scope)
        except (DecodeError, VerificationError):
            continue
        assert isinstance(task, Task)
        tasks.append(Registered(record, task))
    return tasks
