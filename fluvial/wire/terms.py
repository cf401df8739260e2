"""Terms: what rounds and manifests announce of the task file that they follow.

Version 1 of both records has a field for each term that it knew; these stay where they are, because shards and gate
read them for every chunk and participants of that release know no others. Everything since is a section of `Terms`, and
travels as one document: canonical JSON of the sections that are in force. A new mechanism or policy is thus a section
here and the module that acts on it. A section's default means that it is not in force, and defaults never change once
they were released: so a document says only what former releases do not know, and where there is nothing of the kind,
the record is one of version 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from pydantic import Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from fluvial.wire.canonical_json import canonical_json
from fluvial.wire.errors import Malformed, NonCanonical, SchemaUnknown
from fluvial.wire.operators import Operators
from fluvial.wire.plain_values import PlainValues
from fluvial.wire.records import ModelManifest, Round
from fluvial.wire.task_code import MetricName


class Section(PlainValues):
    """A part of the terms; frozen, and closed to what it does not know."""


class ParticipationSpec(Section):
    """Who may contribute to a round."""

    min_examples: int = Field(
        default=1,
        ge=1,
        le=1 << 40,
        description="Least weight of an update. A participant with fewer examples sits the round out: little data "
        "shows too much of itself in a difference.",
    )


class HeldOutSpec(Section):
    """Federated evaluation: participants hold examples out, never train on them, and measure each round's model on them
    before they train. Who tells what came out signs it with its update; nobody has to. Nobody tells of fewer than ten
    people, and who has too few to hold ten people out trains on all.
    """

    metrics: list[MetricName] = Field(default=[], max_length=16, description="What is measured; empty: nothing is.")
    fraction: float = Field(
        default=0.2,
        gt=0,
        le=0.5,
        description="Expected share of a participant's people, or examples, that are held out, always the same ones; "
        "without meaning where `data.held_out` names a loader.",
    )
    min_participants: int = Field(
        default=3, ge=1, le=10_000, description="A metric or group that fewer participants told is not told of."
    )

    @model_validator(mode="after")
    def _is_in_force(self) -> HeldOutSpec:
        if not self.metrics and any(getattr(self, name) != field.default for name, field in _fields(self)):
            raise ValueError("held_out needs the metrics that participants measure")
        return self


class ApprovalSpec(Operators, Section):
    """Who must sign terms that weaken the task (`fluvial.registry.approval`), beside the federation's operator, who
    signs every record of the registry. These are asked under the terms that were in force before."""


def _fields(section: Section) -> Iterable[tuple[str, FieldInfo]]:
    return type(section).model_fields.items()


class Terms(Section):
    """The sections beyond version 1. In the task file they stand beside the others, under the same names."""

    participation: ParticipationSpec = ParticipationSpec()
    held_out: HeldOutSpec = HeldOutSpec()
    approval: ApprovalSpec = ApprovalSpec()


def terms_text(terms: Terms) -> str:
    """The document that rounds and manifests carry of these terms, or of a task file; empty where nothing is in force
    that version 1 does not know."""
    document = terms.model_dump(mode="json", include=set(Terms.model_fields), exclude_defaults=True)
    return canonical_json(document) if document else ""


def terms_of(record: Round | ModelManifest) -> Terms:
    """The sections that are in force in a record of any version.

    Raises SchemaUnknown for a section or value of a newer release, NonCanonical for another form of the document,
    Malformed for what is none.
    """
    return _read(record.terms)


@lru_cache(maxsize=256)
def _read(text: str) -> Terms:
    if not text:
        return Terms()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"terms that are no JSON: {error}") from error
    if not isinstance(document, dict):
        raise Malformed("terms that are no JSON object")
    try:
        terms = Terms.model_validate(document)
    except ValidationError as error:
        unknown = sorted({".".join(map(str, each["loc"])) for each in error.errors()})
        raise SchemaUnknown(f"terms that this release does not know ({', '.join(unknown)}): update fluvial") from error
    if terms_text(terms) != text:
        raise NonCanonical("other texts are the same terms")
    return terms


def stated(record: Round | ModelManifest) -> dict[str, Any]:
    """All terms that a record of any version states, as one document: its fields under the task file's names, with the
    sections of its `terms`. A manifest states what its model was made by, a round what its updates must satisfy too.

    Raises as `terms_of` does, and Malformed for fields that hold no JSON.
    """
    sections = terms_of(record).model_dump(mode="json", exclude_defaults=True)
    try:
        return {**_of_round(record), **sections} if isinstance(record, Round) else {**_of_manifest(record), **sections}
    except ValueError as error:
        raise Malformed(f"terms that are no JSON: {error}") from error


def _of_round(round_: Round) -> dict[str, Any]:
    return {
        **_of_both(round_),
        "quorum": round_.quorum,
        "target": round_.target,
        "limits": {
            "max_abs": round_.max_abs,
            "max_norm": round_.max_norm,
            "max_weight": round_.max_weight,
            "fraction_bits": round_.fraction_bits,
        },
        "window": {
            "mode": round_.window.value.lower(),
            "grace_ms": round_.grace_ms,
            "max_staleness": round_.max_staleness,
            "staleness": _json(round_.staleness),
        },
        "sampling": {"invited_fraction": round_.invited_fraction},
        "encodings": list(round_.encodings),
        "agreement": round_.agreement,
        "training": _json(round_.training),
        "kept_versions": round_.kept_versions,
    }


def _of_manifest(manifest: ModelManifest) -> dict[str, Any]:
    return {
        **_of_both(manifest),
        "limits": {"fraction_bits": manifest.fraction_bits},
        "window": {"staleness": _json(manifest.staleness)},
    }


def _of_both(record: Round | ModelManifest) -> dict[str, Any]:
    return {
        "rule": _json(record.rule),
        "server_optimizer": _json(record.server_optimizer),
        "partial": record.partial,
        "chunk_elements": record.chunk_elements,
    }


def _json(text: str) -> Any:
    return json.loads(text) if text else None
