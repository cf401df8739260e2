"""The audit: recomputes everything the federation claims, from its topics and federation.json alone.

1. The leaves, their sequence, chain and tree: `log.py`.
2. What was signed of them: `checkpoints.py`.
3. Whose keys were enrolled, from when to when: `keys.py`; which rounds were opened: `rounds.py`.
   Whether terms were weakened by as many operators as must sign that: `approvals.py`.
4. Verdicts against leaves: `verdicts.py`.
5. Inputs against verdicts, which are taken again: `inputs.py`, `rejudgement.py`.
6. Models against signatures, verdicts and leaves: `manifests.py`.
7. Receipts, releases, variants and promotions against leaves, updates and models: `copies.py`; what releases tell of
   participants' own measurements, computed again from their updates: `held_out.py`.

A record that nobody signed who may, or that is a copy, is skipped: it contradicts nothing and keeps nobody from an
answer. Left to others: computing a model again from its contributions (`fluvial model replay`), and comparing
checkpoints with those that other observers saw.
"""

from __future__ import annotations

import time

from fluvial.auditor.audit import Audit
from fluvial.auditor.checkpoints import Signed, read_checkpoints
from fluvial.auditor.copies import Copied, check_copies, read_copies
from fluvial.auditor.evidence import read_evidence
from fluvial.auditor.held_out import check_participants_metrics
from fluvial.auditor.inputs import read_inputs
from fluvial.auditor.kept_log import KeptLog
from fluvial.auditor.manifests import check_manifests
from fluvial.auditor.patience import MAX_PENDING_MS, Patience
from fluvial.auditor.reader import TopicReader
from fluvial.auditor.report import Findings, Reconciled, Report
from fluvial.auditor.since import Since, since_checkpoint
from fluvial.auditor.verdicts import read_verdicts
from fluvial.identity.federation import Federation
from fluvial.wire.records import Promotion, Receipt, Release, Variant


def verify(
    reader: TopicReader,
    federation: Federation,
    *,
    grace_ms: int = 0,
    known: bytes | None = None,
    since: bytes | None = None,
    kept: KeptLog | None = None,
    now_ms: int | None = None,
    max_pending_ms: int = MAX_PENDING_MS,
) -> Report:
    """Audit a federation.

    grace_ms: how long, by the brokers' clock, a record may wait for what vouches for it even when newer ones have it (a
    running federation's stages answer out of order). known: note of a checkpoint verified before; a log that does not
    contain it is refused. since: in its place, note of the checkpoint that an audit of everything ended with: what has
    its leaf before it is not looked at again (`since.py`). kept: in the place of both, what the audit before this one
    has kept: likewise, and of the log only what has come since is read (`kept_log.py`). If everything is verified, this
    audit keeps it there. now_ms: the time, this machine's by default; what has waited for longer than max_pending_ms is
    a problem, however new it is among its kind. Raises ValueError if federation.json holds a malformed key, and what
    the reader raises when topics cannot be read.
    """
    started = time.monotonic()
    topics, findings = federation.topics, Findings()
    patience = Patience(
        grace_ms=grace_ms,
        now_ms=int(time.time() * 1000) if now_ms is None else now_ms,
        max_pending_ms=max_pending_ms,
    )
    evidence = read_evidence(reader, federation, patience, findings, kept)
    log, manifests, log_key = evidence.log, evidence.manifests, evidence.log_key
    findings.problems.extend(log.problems)
    # Records that are no leaves are the reason where leaves are missing; elsewhere they are nobody's fault.
    (findings.problems if evidence.lacks_leaves else findings.skipped).extend(log.skipped)
    if kept is not None:
        since = kept.checkpoint if log.kept is not None else None
        known = kept.checkpoint
    trusted = known if since is None else since
    signed = read_checkpoints(reader.records(topics.checkpoints), log.tree, log_key, findings, trusted)
    before = Since() if since is None else since_checkpoint(since, log, log_key, patience)
    audit = Audit(log=log, before=before, patience=patience, findings=findings)
    _check_unsigned(audit, signed)

    verdicts = reader.records(topics.verdicts, before.time_ms), reader.begin_offsets(topics.verdicts)
    judged = read_verdicts(audit, *verdicts, frozenset(evidence.judges))
    inputs = {
        topic: read_inputs(
            audit,
            topic,
            reader.records(topic, before.time_ms),
            reader.begin_offsets(topic),
            judged,
            rejudge,
            evidence.rejudgement.note,
        )
        for topic, rejudge in evidence.judges.items()
    }
    reconciled = judged.reconciled(audit)
    models = check_manifests(audit, manifests, judged, topics.updates)
    copies = {"rounds": evidence.rounds.reconciled, **_copies(audit, reader, federation)}
    check_copies(audit, manifests.by_version)
    check_participants_metrics(audit, manifests.by_version, reader.records(topics.updates, before.time_ms))
    report = Report(
        origin=log_key.name,
        size=log.tree.size,
        root=log.tree.root().hex(),
        since=before.size,
        signed_size=signed.newest.size if signed.newest else 0,
        signed_root=signed.newest.root.hex() if signed.newest else "",
        checkpoint=signed.note.decode(errors="replace"),
        num_checkpoints=signed.count,
        inputs=inputs,
        verdicts=reconciled,
        models=models,
        copies=copies,
        on_trust=dict(sorted(evidence.rejudgement.on_trust.items())),
        num_problems=findings.problems.count,
        problems=tuple(findings.problems.kept),
        num_skipped=findings.skipped.count,
        skipped=tuple(findings.skipped.kept),
        seconds=time.monotonic() - started,
    )
    if log.kept is not None and report.verified:
        log.kept.keep(signed.note)
    return report


def _copies(audit: Audit, reader: TopicReader, federation: Federation) -> dict[str, Reconciled]:
    """By kind, what stands both in a topic and in the log."""
    topics, aggregator_key = federation.topics, bytes.fromhex(federation.aggregator_key)
    kinds: tuple[tuple[str, type[Copied], bytes | None], ...] = (
        ("receipts", Receipt, None),
        ("releases", Release, None),
        ("variants", Variant, aggregator_key),
        ("promotions", Promotion, aggregator_key),
    )
    copies = {}
    for name, kind, signer in kinds:
        topic = getattr(topics, name)
        records, begin_offsets = reader.records(topic, audit.before.time_ms), reader.begin_offsets(topic)
        copies[name] = read_copies(audit, name, kind, records, begin_offsets, signer, topics.scope)
    return copies


def _check_unsigned(audit: Audit, signed: Signed) -> None:
    """What nobody has signed for so long is kept from being signed."""
    log, size = audit.log, signed.newest.size if signed.newest else 0
    if signed.newest is not None and size < log.tree.size and audit.patience.is_over(log.time_ms(size)):
        audit.findings.problems.add("checkpoints", f"leaf {size}", "no checkpoint covers it, for too long")
