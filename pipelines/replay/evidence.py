"""What a version rests on: the signed updates that its manifest lists, found where it says and being what it says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from fluvial import encoding
from fluvial.encoding import Span
from fluvial.identity.envelope import unseal
from fluvial.wire.errors import DecodeError, SignatureInvalid
from fluvial.wire.layout import layout_digest, model_digest
from fluvial.wire.records import Contribution, ModelManifest, ModelUpdate

Position = tuple[int, int]


class ReplayLog(Protocol):
    """What replay reads. Positions are (partition, offset); what is not there any more raises ChunkUnavailable."""

    @property
    def scope(self) -> str:
        """`Topics.scope` of the federation."""

    def manifests(self, task: str) -> Mapping[int, ModelManifest]:
        """Manifests of the task by version, each signed by who may sign it. Raises VerificationError."""

    def public_keys(self, participant: str) -> Iterable[bytes]:
        """Every key the participant was ever enrolled with, the likeliest first."""

    def envelopes(self, positions: Sequence[Position]) -> list[bytes]: ...

    def each_update_chunk(self, positions: Collection[Position], take: Callable[[Position, bytes], None]) -> None:
        """Give every chunk to `take` as it is read, those of different partitions from several threads at once."""

    def model_chunks(self, positions: Sequence[Position]) -> list[bytes]: ...


@dataclass(frozen=True, slots=True)
class Update:
    """A contribution, and the update that its participant signed."""

    contribution: Contribution
    record: ModelUpdate

    def num_bytes(self, index: int) -> int:
        """Of its chunk `index`."""
        return self.record.chunks[index].length if self.record.inline is None else len(self.record.inline)


Note = Callable[[str], None]
"""Takes a difference, in words."""


def check_manifest(manifest: ModelManifest, note: Note) -> None:
    """The manifest's own digests and order."""
    if model_digest(chunk.sha256 for chunk in manifest.chunks) != manifest.model_digest:
        note("its digest is not that of its chunks")
    digests = [contribution.record_sha256 for contribution in manifest.contributions]
    if digests != sorted(set(digests)):
        note("its contributions are not ordered by digest, or one is listed twice")


def read_updates(
    log: ReplayLog, manifest: ModelManifest, manifests: Mapping[int, ModelManifest], note: Note
) -> Iterator[Update]:
    """The updates of the contributions that hold, in order; what does not hold is noted and left out.

    manifests: all of the task. Updates that lag behind were trained from earlier versions.
    """
    contributions = manifest.contributions
    raws = log.envelopes([(each.source_partition, each.source_offset) for each in contributions])
    for contribution, raw in zip(contributions, raws, strict=True):
        try:
            if sha256(raw).digest() != contribution.record_sha256:
                raise ValueError("other bytes than the manifest's digest")
            record = _unseal(log, raw, contribution.participant)
            _check(record, contribution, manifest, manifests)
        except (ValueError, DecodeError, SignatureInvalid) as error:
            where = f"updates/{contribution.source_partition}@{contribution.source_offset}"
            note(f"{where} of {contribution.participant}: {error}")
        else:
            yield Update(contribution, record)


def _unseal(log: ReplayLog, raw: bytes, participant: str) -> ModelUpdate:
    for key in log.public_keys(participant):
        try:
            return unseal(raw, ModelUpdate, key, log.scope)
        except SignatureInvalid:
            continue
    raise SignatureInvalid("not signed by a key of this participant")


def _check(
    record: ModelUpdate,
    contribution: Contribution,
    manifest: ModelManifest,
    manifests: Mapping[int, ModelManifest],
) -> None:
    """Raises ValueError when the update is not the one that the manifest says went in."""
    expected = (
        (manifest.task, contribution.round),
        (contribution.participant, contribution.update_id, contribution.weight),
    )
    if ((record.task, record.round), (record.participant, record.update_id, record.weight)) != expected:
        raise ValueError("it is for another round, by another participant, or of another weight")
    of_this_attempt = (record.round, record.attempt) == (manifest.round, manifest.attempt)
    if not of_this_attempt and (not manifest.staleness or record.round > manifest.round):
        # Only asynchronous windows, which say how they weight what lags behind, take anything else.
        raise ValueError("it is for another round")
    _check_base(record, manifest, manifests)
    if record.layout_digest != layout_digest(manifest.layout):
        raise ValueError("it has another layout")
    codec = encoding.get(record.encoding)
    bounds = [codec.length_bounds(Span.of(manifest, index).size) for index in range(len(manifest.chunks))]
    lengths = [chunk.length for chunk in record.chunks] if record.inline is None else [len(record.inline)]
    if len(lengths) != len(bounds) or any(
        not least <= length <= most for length, (least, most) in zip(lengths, bounds, strict=True)
    ):
        raise ValueError("its bytes do not make up the model's elements")


def _check_base(record: ModelUpdate, manifest: ModelManifest, manifests: Mapping[int, ModelManifest]) -> None:
    """The update was trained from the model that was the newest in its round.

    That round's base is the last version made before it: a round that failed left it as it was. The base of a region's
    round is the parent federation's, whose manifests are not in this log.
    """
    if manifest.partial:
        if (record.base_version, record.base_digest) != (manifest.parent_version, manifest.parent_digest):
            raise ValueError("it was trained from another model")
        return
    base = manifests.get(record.base_version)
    if base is None or record.base_digest != base.model_digest or base.version >= manifest.version:
        raise ValueError("it was trained from another model")
    # Of this round the base is the parent; of an earlier one the version that was followed by its round's, or a later.
    if record.round == manifest.round and base.version != manifest.parent_version:
        raise ValueError("it was trained from another model")
    successors = [each for each in manifests.values() if each.parent_version == base.version]
    if not any(base.round < record.round <= each.round for each in successors):
        raise ValueError("it was trained from another model")
