"""Checks the published models: signatures, digests, lineage, contributions; and their leaves in the log."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from fluvial.auditor.audit import Audit
from fluvial.auditor.reader import TopicRecord, describe
from fluvial.auditor.report import Findings, Reconciled
from fluvial.auditor.settling import Settling
from fluvial.auditor.shelf import Kept, Shelf, key
from fluvial.auditor.verdicts import Judged
from fluvial.identity.envelope import open_envelope, unseal, verify_envelope
from fluvial.wire.errors import DecodeError, Malformed, SignatureInvalid, VerificationError
from fluvial.wire.framing import decode, encode
from fluvial.wire.layout import model_digest
from fluvial.wire.media_types import media_type
from fluvial.wire.records import Contribution, Decision, ModelManifest, PublishedModel, Verdict

CHECK = "models"
_BY_WEIGHT = {"weighted_mean", "multi_krum"}
"""Rules that take in updates by the weights they claim, and divide by their sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestKeys:
    """Who signs manifests: the aggregator, and the operator for version 0. Ed25519 public keys, 32 bytes each.
    scope: `Topics.scope`."""

    aggregator: bytes
    operator: bytes
    scope: str = ""


@dataclass(slots=True)
class Manifests:
    """The models that were published, by task and version. records: where they stand, without their bytes, and the
    SHA-256 of these, 32 bytes. total: records of the topic."""

    by_version: Kept[tuple[str, int], ModelManifest]
    records: dict[tuple[str, int], tuple[TopicRecord, bytes]] = field(default_factory=dict)
    total: int = 0


def read_manifests(
    records: Iterator[TopicRecord],
    keys: ManifestKeys,
    findings: Findings,
    shelf: Shelf | None = None,
) -> Manifests:
    """Read the topic `models`.

    1. A record is a manifest signed by the aggregator, or by the operator if its version is 0; what neither signed is
    skipped. 2. A version is published once; a copy of a record says nothing new. shelf: where they are kept.
    """
    manifests = Manifests(Kept(shelf or Shelf(), lambda place: key(*place), _load, lambda m: (m.task, m.version)))
    for record in records:
        manifests.total += 1
        manifest = _open(record, keys, findings)
        if manifest is None:
            continue
        place = manifest.task, manifest.version
        known = manifests.records.get(place)
        digest = sha256(record.value or b"").digest()
        if known is None:
            manifests.records[place] = record._replace(value=None), digest
            manifests.by_version.put(place, encode(manifest))
        elif known[1] == digest:
            findings.skipped.add(CHECK, record, f"repeats version {manifest.version} of {manifest.task}")
        else:
            findings.problems.add(
                CHECK, record, f"version {manifest.version} of {manifest.task} is published a second time"
            )
    return manifests


def check_manifests(audit: Audit, manifests: Manifests, judged: Judged, updates_topic: str) -> Reconciled:
    """Check the models that were published.

    3. A model's digest is that of its chunks, its parent's digest that of its parent. 4. Its contributions
    are ordered, none twice, each was accepted, and the weights of those selected add up. 5. The log has a leaf that
    names the record's SHA-256 and the same digests and counts, or the record is too new; for version 0, which the
    operator vouches for, a leaf is checked if there is one. 6. Every leaf has its manifest. Whether the model is what
    its rule makes of the contributions, `fluvial model replay` shows.
    """
    log, problems, settling = audit.log, audit.findings.problems, Settling()
    matched = 0
    # Only now: a version and its parent may lie in different partitions, which are read in any order.
    for manifest in manifests.by_version.each():
        task, version = manifest.task, manifest.version
        record, digest = manifests.records[task, version]
        leaf = log.models.get((task, version))
        if leaf is not None and audit.before.covers(leaf.sequence):
            settling.settled(record)
            continue
        parent = manifests.by_version.get((task, manifest.parent_version))
        wrong = _wrong_with(manifest, parent, judged, updates_topic)
        if leaf is not None and not _matches(leaf.record, manifest, digest):
            wrong.append("differs from its leaf in the log")
        for message in wrong:
            problems.add(CHECK, record, f"version {version} of {task}: {message}")
        if leaf is None and version > 0:
            settling.waiting(record)
            continue
        settling.settled(record)
        matched += not wrong
    pending, overdue = settling.overdue(audit.patience)
    for record in overdue:
        problems.add(CHECK, record, "manifest has no leaf in the log, though newer ones have, or for too long")
    for task, version in sorted(place for place in log.models if place not in manifests.records):
        problems.add(CHECK, "", f"the log holds version {version} of {task}, whose manifest is not in the topic")
    return Reconciled(total=manifests.total, matched=matched, pending=pending)


def _load(data: bytes) -> ModelManifest:
    return decode(data, ModelManifest)


def _open(record: TopicRecord, keys: ManifestKeys, findings: Findings) -> ModelManifest | None:
    data = record.value or b""
    try:
        envelope = open_envelope(data)
        if envelope.payload_type != media_type(ModelManifest, keys.scope):
            # Signed or not: a round, too, is the aggregator's, and anybody can copy it here.
            raise Malformed(f"an envelope of {envelope.payload_type}")
        by_operator = verify_envelope(envelope, keys.operator)
        if not by_operator and not verify_envelope(envelope, keys.aggregator):
            raise SignatureInvalid("no known key signed it")
    except (DecodeError, VerificationError) as error:
        findings.skipped.add(CHECK, record, f"no manifest signed by the aggregator or the operator: {error}")
        return None
    try:
        manifest = unseal(data, ModelManifest, keys.operator if by_operator else keys.aggregator, keys.scope)
    except (DecodeError, VerificationError) as error:
        findings.problems.add(CHECK, record, f"the aggregator or the operator signed what is no manifest: {error}")
        return None
    if keys.operator != keys.aggregator and by_operator != (manifest.version == 0):
        signer = "operator" if by_operator else "aggregator"
        findings.problems.add(
            CHECK, record, f"version {manifest.version} of {manifest.task} may not be signed by the {signer}"
        )
        return None
    return manifest


def _wrong_with(manifest: ModelManifest, parent: ModelManifest | None, judged: Judged, updates_topic: str) -> list[str]:
    wrong: list[str] = []
    if model_digest([chunk.sha256 for chunk in manifest.chunks]) != manifest.model_digest:
        wrong.append("its digest is not that of its chunks")
    if manifest.version == 0:
        return wrong
    # The model that a region's sum was made on is the parent federation's, and stands in its log.
    if not manifest.partial and (
        parent is None or parent.version >= manifest.version or parent.model_digest != manifest.parent_digest
    ):
        wrong.append(f"its parent is not version {manifest.parent_version} as published")
    digests = [contribution.record_sha256 for contribution in manifest.contributions]
    if digests != sorted(set(digests)):
        wrong.append("its contributions are not ordered by SHA-256, or one is listed twice")
    if not _weights_add_up(manifest):
        wrong.append("the weights of its selected contributions do not add up")
    for contribution in manifest.contributions:
        source = (updates_topic, contribution.source_partition, contribution.source_offset)
        if not _was_accepted(manifest, contribution, judged, updates_topic):
            wrong.append(
                f"its contribution {describe(source)} by {contribution.participant} was not accepted for this round"
            )
    return wrong


def _weights_add_up(manifest: ModelManifest) -> bool:
    """Whether what is selected counts, and nothing else; of rules that take updates in by their weights, whether the
    sums were divided by those. What other rules decide, replay computes again."""
    if any(each.selected != (each.effective_weight > 0) for each in manifest.contributions):
        return False
    if manifest.staleness or _rule_name(manifest) not in _BY_WEIGHT:
        return True
    selected = [each for each in manifest.contributions if each.selected]
    by_weight = all(each.effective_weight == each.weight for each in selected)
    return by_weight and sum(each.weight for each in selected) == manifest.total_weight


def _rule_name(manifest: ModelManifest) -> str:
    """Name of the aggregation rule; empty for what is no rule."""
    try:
        rule = json.loads(manifest.rule)
    except ValueError:
        return ""
    return str(rule.get("name", "")) if isinstance(rule, dict) else ""


def _was_accepted(manifest: ModelManifest, contribution: Contribution, judged: Judged, updates_topic: str) -> bool:
    leaf = judged.verdicts.get((updates_topic, contribution.source_partition, contribution.source_offset))
    verdict = leaf.record if leaf is not None else None
    return (
        verdict is not None
        and verdict.decision is Decision.ACCEPT
        and verdict.record_sha256 == contribution.record_sha256
        and (verdict.participant, verdict.task) == (contribution.participant, manifest.task)
        and _took_part(manifest, contribution, verdict)
    )


def _took_part(manifest: ModelManifest, contribution: Contribution, verdict: Verdict) -> bool:
    """Whether the round could have the update: it is for this attempt, or the window is asynchronous, which the
    manifest's weighting of staleness shows, and it is for this round or an earlier one."""
    if not manifest.staleness:
        return (verdict.round, verdict.attempt) == (manifest.round, manifest.attempt)
    return verdict.round == contribution.round <= manifest.round


def _matches(leaf: PublishedModel, manifest: ModelManifest, digest: bytes) -> bool:
    return (
        leaf.manifest_sha256 == digest
        and leaf.model_digest == manifest.model_digest
        and (leaf.round, leaf.attempt) == (manifest.round, manifest.attempt)
        and leaf.num_contributions == len(manifest.contributions)
        and leaf.num_selected == sum(contribution.selected for contribution in manifest.contributions)
    )
