"""Holds the topics of a federation to the invariants (`fluvial.auditor.history`)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from fluvial.auditor.evidence import read_evidence
from fluvial.auditor.happened import Violation
from fluvial.auditor.history import History
from fluvial.auditor.patience import Patience
from fluvial.auditor.reader import TopicReader
from fluvial.auditor.report import Findings
from fluvial.identity.federation import Federation
from fluvial.transparency.checkpoint import open_checkpoint
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError, VerificationError
from fluvial.wire.records import Decision, OverRate, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryReport:
    """What a history was found to be. inputs, leaves and models: how many there are."""

    violations: tuple[Violation, ...]
    inputs: int
    leaves: int
    models: int


def check_history(reader: TopicReader, federation: Federation, *, is_running: bool = False) -> HistoryReport:
    """Hold a federation's topics to the invariants. is_running: as for `History`. Raises as `verify` does."""
    topics = federation.topics
    patience = Patience(grace_ms=0, now_ms=0)
    evidence = read_evidence(reader, federation, patience, Findings())
    log = evidence.log
    history = History(topics.enrolments, is_running, topics.reports, log.shelf)
    for problem in (*log.problems.kept, *(log.skipped.kept if evidence.lacks_leaves else ())):
        history.broken_chain(problem.where, problem.message)
    for record in log.records():
        history.leaf(record)
    for message in reader.records(topics.verdicts):
        with suppress(DecodeError):
            history.written_verdict(framing.decode_either(message.value or b"", Verdict, OverRate))
    for topic, rejudge in evidence.judges.items():
        begin = reader.begin_offsets(topic)
        for message in reader.records(topic):
            source = (topic, message.partition, message.offset)
            history.input(source)
            leaf = log.verdicts.get(source)
            if leaf is None or leaf.record.decision is not Decision.ACCEPT:
                continue
            if why := rejudge(message, leaf.record, leaf.sequence):
                history.refuted(source, why)
        for partition, first in begin.items():
            history.expired(topic, partition, first)
    for manifest in evidence.manifests.by_version.values():
        history.manifest(manifest)
    for message in reader.records(topics.checkpoints):
        with suppress(VerificationError):
            checkpoint = open_checkpoint(message.value or b"", evidence.log_key)
            history.checkpoint(checkpoint.size, not log.contradicts(checkpoint))
    return HistoryReport(
        violations=tuple(history.violations()),
        inputs=history.num_inputs,
        leaves=log.tree.size,
        models=len(evidence.manifests.by_version),
    )
