"""Reconciles what stands both in a topic and in the log: receipts, releases, variants and promotions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256

from fluvial.auditor.audit import Audit
from fluvial.auditor.judged_records import JudgedRecords
from fluvial.auditor.leaves import leaves_from
from fluvial.auditor.log import Log
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.report import Reconciled
from fluvial.auditor.settling import Settling
from fluvial.auditor.shelf import Relation, key
from fluvial.identity.envelope import check_kind, open_envelope, verify_envelope
from fluvial.transparency.event import event_id
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError, SignatureInvalid, VerificationError
from fluvial.wire.records import (
    Contribution,
    ModelManifest,
    Outcome,
    Promotion,
    Receipt,
    Release,
    Variant,
)

_MODELS_AT_HAND = 8
"""Receipts of a model lie together in the log."""
Copied = Receipt | Release | Variant | Promotion

_Attempt = tuple[str, int, int]
"""Task, round and attempt."""


def read_copies(
    audit: Audit,
    check: str,
    kind: type[Copied],
    records: Iterator[TopicRecord],
    begin_offsets: Mapping[int, int],
    signer: bytes | None = None,
    scope: str = "",
) -> Reconciled:
    """Check one such topic against the log.

    1. The data of each leaf stands in the topic, unless retention took it. 2. What a topic of signed records holds
    (signer: whose signature, Ed25519 public key) has its leaf, or is too new. 3. Where nobody signs, a record without a
    leaf is believed by nobody, and skipped once it can no longer be new; so are copies and what is no such record.
    """
    log, problems, skipped = audit.log, audit.findings.problems, audit.findings.skipped
    settling = Settling()
    matched = Relation(log.shelf)
    others: dict[str, list[TopicRecord]] = {}
    total = 0
    for record in records:
        total += 1
        try:
            data, copied = _open(record.value or b"", kind, signer, scope)
        except (DecodeError, VerificationError) as error:
            skipped.add(check, record, f"no {kind.__name__} of this federation: {error}")
            continue
        name = event_id(copied)
        leaf = log.copied.get(name)
        if leaf is None:
            settling.waiting(record)
        elif audit.before.covers(leaf.sequence):
            settling.settled(record)
        elif leaf.data_sha256 != sha256(data).digest():
            others.setdefault(name, []).append(record)
        elif not matched.add(key(name)):
            skipped.add(check, record, f"repeats {name}")
        else:
            settling.settled(record)
    pending, overdue = settling.overdue(audit.patience)
    for record in overdue:
        (problems if signer else skipped).add(check, record, "has no leaf in the log, though newer ones have")
    expired = _check_leaves(audit, check, kind, matched, others, any(begin_offsets.values()))
    return Reconciled(total=total, matched=len(matched), pending=pending, expired=expired)


def _check_leaves(
    audit: Audit,
    check: str,
    kind: type[Copied],
    matched: Relation,
    others: Mapping[str, Sequence[TopicRecord]],
    retention_took_some: bool,
) -> int:
    """Whether the topic has what the leaves of a kind hold; how many retention may have taken. others: by name, records
    that are not as the leaf holds them."""
    expired = 0
    for leaf in leaves_from(audit.log.copied, audit.before.size):
        if not isinstance(leaf.record, kind):
            continue
        name = event_id(leaf.record)
        where = f"leaf {leaf.sequence}"
        if matched.has(key(name)):
            for record in others.get(name, ()):
                audit.findings.skipped.add(check, record, f"is not {name} as the log holds it")
        elif name in others:
            audit.findings.problems.add(check, others[name][0], f"differs from {where}, which holds {name}")
        elif retention_took_some:
            expired += 1
        else:
            audit.findings.problems.add(check, where, f"holds {name}, which is not in the topic")
    return expired


def _open(value: bytes, kind: type[Copied], signer: bytes | None, scope: str) -> tuple[bytes, Copied]:
    """The record and its bytes as a leaf holds them."""
    if signer is None:
        return value, framing.decode(value, kind)
    envelope = open_envelope(value)
    check_kind(envelope, kind, scope)
    if not verify_envelope(envelope, signer):
        raise SignatureInvalid("it is not signed by the aggregator")
    return envelope.payload, framing.decode(envelope.payload, kind)


def check_copies(audit: Audit, models: Mapping[tuple[str, int], ModelManifest]) -> None:
    """Whether leaves of receipts and releases say what can be: of updates that were accepted, and of models as they
    were published."""
    log = audit.log
    made: dict[_Attempt, int] = {}
    for model in log.models.each():
        made[model.record.task, model.record.round, model.record.attempt] = model.record.version

    @lru_cache(maxsize=_MODELS_AT_HAND)
    def parts(place: tuple[str, int]) -> Mapping[tuple[str, str, int], Contribution]:
        manifest = models.get(place)
        contributions = () if manifest is None else manifest.contributions
        return {(each.participant, each.update_id, each.round): each for each in contributions}

    for leaf in leaves_from(log.copied, audit.before.size):
        match leaf.record:
            case Receipt() as receipt:
                why = _why_no_receipt(receipt, log.judged, models, parts, made)
            case Release() as release:
                manifest = models.get((release.task, release.version))
                is_its_model = manifest is not None and manifest.model_digest == release.model_digest
                why = "" if is_its_model else "measures a model that was not published as this version"
                why = why or _why_not_again(release, leaf.sequence, log)
            case _:
                continue
        if why:
            check = "receipts" if isinstance(leaf.record, Receipt) else "releases"
            audit.findings.problems.add(check, f"leaf {leaf.sequence}", why)


def _why_not_again(release: Release, sequence: int, log: Log) -> str:
    """A measurement that is there, good or bad, is never replaced: only the want of one is."""
    if not release.again:
        return ""
    first = log.copied.get(event_id(replace(release, again=False)))
    if first is None or first.sequence > sequence:
        return "measures again what was not released before"
    if not isinstance(first.record, Release) or not first.record.reason:
        return "measures again what had been measured"
    return "" if release.metrics and not release.reason else "measures again, and has no measurement"


def _why_no_receipt(
    receipt: Receipt,
    judged: JudgedRecords,
    models: Mapping[tuple[str, int], ModelManifest],
    parts: Callable[[tuple[str, int]], Mapping[tuple[str, str, int], Contribution]],
    made: Mapping[_Attempt, int],
) -> str:
    named = f"receipt of {receipt.update_id} by {receipt.participant}"
    names = receipt.participant, receipt.task, receipt.round, receipt.attempt, receipt.update_id
    if not judged.has_accepted_update(*names):
        return f"{named}: no such update was accepted"
    if receipt.outcome not in (Outcome.INCLUDED, Outcome.EXCLUDED):
        if receipt.version or receipt.model_digest:
            return f"{named}: {receipt.outcome}, yet of a model"
        version = made.get((receipt.task, receipt.round, receipt.attempt))
        return "" if version is None else _why_not_left_out(named, receipt, models.get((receipt.task, version)), parts)
    place = receipt.task, receipt.version
    part = parts(place).get((receipt.participant, receipt.update_id, receipt.round))
    if part is None:
        return f"{named}: version {receipt.version} of {receipt.task} was not made with it"
    if part.selected != (receipt.outcome is Outcome.INCLUDED) or part.weight != receipt.weight:
        return f"{named}: {receipt.outcome} with weight {receipt.weight}, which the manifest does not say"
    return "" if models[place].model_digest == receipt.model_digest else f"{named}: names another model"


def _why_not_left_out(
    named: str,
    receipt: Receipt,
    manifest: ModelManifest | None,
    parts: Callable[[tuple[str, int]], Mapping[tuple[str, str, int], Contribution]],
) -> str:
    """manifest: of the model that the update's own attempt made. Of an asynchronous window, which its weighting of
    staleness shows, the receipt may tell of another attempt."""
    if manifest is None or manifest.staleness:
        return ""
    version = f"version {manifest.version} of {manifest.task}"
    if (receipt.participant, receipt.update_id, receipt.round) in parts((manifest.task, manifest.version)):
        return f"{named}: {receipt.outcome}, but {version} was made with it"
    return f"{named}: its round failed, but has made {version}" if receipt.outcome is Outcome.ROUND_FAILED else ""
