"""The rule by which leaves follow one another: what of the records in the topic `audit` is the log.

A leaf names its place and the SHA-256 of the leaf before it. The log is the chain that begins with the first leaf and
is continued, in the order of the records, by each that names the place and the leaf that are next. Records that do not
continue it (junk, repeats, a history that a second sequencer began) are not leaves, wherever they lie: nothing that is
written into the topic can break what stands before it.

Two records may both continue the same leaf. Stages take the first that a stage wrote. Who cannot tell who wrote a
record takes the one that leads to a signed checkpoint (`signed_chain`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from fluvial.transparency.checkpoint import Checkpoint
from fluvial.transparency.compact_range import CompactRange
from fluvial.transparency.merkle import leaf_hash
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError
from fluvial.wire.quick_init import quick_init
from fluvial.wire.records import SequencedEvent
from fluvial.wire.varint import long_bytes

FIRST_PREVIOUS_SHA256 = bytes(32)

SHA256_FOLLOWS = long_bytes(len(FIRST_PREVIOUS_SHA256))
"""Between the place of a leaf and the hash of the one before it."""


@quick_init
@dataclass(frozen=True, slots=True)
class ChainEnd:
    """Where a log ends: its number of leaves, and the SHA-256 of the last (32 bytes; zeros for none)."""

    size: int = 0
    previous_sha256: bytes = FIRST_PREVIOUS_SHA256

    @property
    def named(self) -> bytes:
        """How the leaf that continues this log begins, behind its header: with its place and the hash before it."""
        return b"".join((long_bytes(self.size), SHA256_FOLLOWS, self.previous_sha256))

    def after(self, leaf: bytes) -> ChainEnd:
        """The end when this leaf has followed."""
        return ChainEnd(self.size + 1, sha256(leaf).digest())

    def why_not(self, sequenced: SequencedEvent) -> str:
        """Why a leaf does not continue this log; empty if it does."""
        if sequenced.sequence != self.size:
            return f"leaf {self.size} bears the sequence number {sequenced.sequence}"
        if sequenced.previous_sha256 != self.previous_sha256:
            return f"leaf {self.size} does not name the leaf before it: the chain is broken"
        return ""


def signed_chain(
    values: Iterable[bytes],
    checkpoint: Checkpoint,
    start: ChainEnd | None = None,
    tree: CompactRange | None = None,
) -> list[int] | None:
    """Which of the records are the leaves of this checkpoint: their indexes, in order; None if they are not there.

    values: of all records of the topic; or of those behind `start`, where `tree` has the leaves before. Walks back from
    each record that could be the last leaf, so it takes as long as
    a chain for each of those. Keeps 150 bytes for each record.
    """
    start, tree = start or ChainEnd(), tree or CompactRange.empty()
    places: dict[bytes, tuple[int, int, bytes, bytes]] = {}
    for index, value in enumerate(values):
        try:
            leaf = framing.decode(value, SequencedEvent)
        except DecodeError:
            continue
        places.setdefault(sha256(value).digest(), (index, leaf.sequence, leaf.previous_sha256, leaf_hash(value)))
    for last in [digest for digest, place in places.items() if place[1] == checkpoint.size - 1]:
        chain = _walk_back(places, last, start, checkpoint.size)
        if chain is not None and _root(tree, (hashed for _, hashed in chain)) == checkpoint.root:
            return [index for index, _ in chain]
    return None


def _walk_back(
    places: dict[bytes, tuple[int, int, bytes, bytes]], last: bytes, start: ChainEnd, size: int
) -> list[tuple[int, bytes]] | None:
    chain, digest = [], last
    for sequence in reversed(range(start.size, size)):
        place = places.get(digest)
        if place is None or place[1] != sequence:
            return None
        chain.append((place[0], place[3]))
        digest = place[2]
    return chain[::-1] if digest == start.previous_sha256 else None


def _root(tree: CompactRange, leaf_hashes: Iterable[bytes]) -> bytes:
    for hashed in leaf_hashes:
        tree = tree.append(hashed)
    return tree.root()
