"""What participants told of the model that they trained from, read where a manifest says that their updates lie.

The manifest is signed and names each update's place and digest, so nothing else has to be believed or kept. What
retention has taken is left out, as it is for whoever computes the same later.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from fluvial.admission.held_out import Told, summarise
from fluvial.identity.envelope import open_envelope
from fluvial.wire.errors import ChunkUnavailable, FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import decode
from fluvial.wire.records import ChunkReference, ModelManifest, ModelUpdate, ParticipantsMetric
from fluvial.wire.terms import terms_of

_log = logger(__name__)

ReadRecord = Callable[[ChunkReference], bytes]
"""The value of the record of topic updates at a place. Raises ChunkUnavailable, TimeoutError."""


def participants_metrics(read: ReadRecord, manifest: ModelManifest) -> tuple[ParticipantsMetric, ...]:
    """What the participants whose updates made this model told, where its terms ask for it. Raises TimeoutError."""
    try:
        spec = terms_of(manifest).held_out
    except FluvialError as error:
        _log.warning("%s version %d: what participants told is not read: %s", manifest.task, manifest.version, error)
        return ()
    if not spec.metrics:
        return ()
    told: list[Told] = []
    for part in sorted(manifest.contributions, key=lambda part: (part.source_partition, part.source_offset)):
        place = ChunkReference(
            partition=part.source_partition, offset=part.source_offset, length=0, sha256=part.record_sha256
        )
        try:
            value = read(place)
            if sha256(value).digest() != part.record_sha256:
                raise ChunkUnavailable("another record is there")
            told.append(Told.by(decode(open_envelope(value).payload, ModelUpdate)))
        except FluvialError as error:
            _log.warning("update %s of %s cannot be read again: %s", part.update_id, part.participant, error)
    return summarise(told, spec)
