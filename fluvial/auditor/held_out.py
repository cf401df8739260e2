"""Recomputes what releases tell of participants' own measurements, from the signed updates that manifests name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

from fluvial.admission.held_out import Told, summarise
from fluvial.auditor.audit import Audit
from fluvial.auditor.leaves import leaves_from
from fluvial.auditor.reader import TopicRecord
from fluvial.identity.envelope import open_envelope
from fluvial.wire.errors import FluvialError
from fluvial.wire.framing import decode
from fluvial.wire.records import ModelManifest, ModelUpdate, Release
from fluvial.wire.terms import HeldOutSpec, terms_of

CHECK = "releases"
Place = tuple[int, int, bytes]
"""Partition and offset of an update, and the digest of its record."""


def check_participants_metrics(
    audit: Audit, models: Mapping[tuple[str, int], ModelManifest], updates: Iterable[TopicRecord]
) -> None:
    """Whether each release in the log tells of participants what their updates do.

    updates: the records of that topic, read only where a model's terms ask participants for metrics. Releases of
    models some of whose updates retention has taken are passed over.
    """
    problems = audit.findings.problems
    asked = {place: spec for place, manifest in models.items() if (spec := _spec(manifest)).metrics}
    needed = {place for model in asked for place in _places(models[model])}
    told = _told(updates, needed) if needed else {}
    for leaf in leaves_from(audit.log.copied, audit.before.size):
        if not isinstance(leaf.record, Release):
            continue
        model = leaf.record.task, leaf.record.version
        manifest = models.get(model)
        if manifest is None:  # told where releases are held against models
            continue
        wanted = asked.get(model)
        if wanted is None:
            if leaf.record.participants:
                problems.add(CHECK, f"leaf {leaf.sequence}", "tells metrics of participants that nobody was asked for")
            continue
        places = _places(manifest)
        if not all(place in told for place in places):
            continue
        if summarise((told[place] for place in places), wanted) != leaf.record.participants:
            problems.add(CHECK, f"leaf {leaf.sequence}", "tells other metrics of participants than their updates do")


def _spec(manifest: ModelManifest) -> HeldOutSpec:
    try:
        return terms_of(manifest).held_out
    except FluvialError:  # told where manifests are checked
        return HeldOutSpec()


def _places(manifest: ModelManifest) -> list[Place]:
    return [(part.source_partition, part.source_offset, part.record_sha256) for part in manifest.contributions]


def _told(updates: Iterable[TopicRecord], needed: set[Place]) -> dict[Place, Told]:
    found: dict[Place, Told] = {}
    for record in updates:
        value = record.value or b""
        place = record.partition, record.offset, sha256(value).digest()
        if place in needed:
            try:
                found[place] = Told.by(decode(open_envelope(value).payload, ModelUpdate))
            except FluvialError:  # told where verdicts are taken again
                continue
    return found
