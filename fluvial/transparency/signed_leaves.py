"""The leaves of a log that a checkpoint has signed, each told once, from any place on.

What is kept is where the proof has come to (64 hashes at most) and the records since then, of which no checkpoint has
said yet what they are. So a log of any length is verified in the memory of what lies between two of its checkpoints,
and who goes on later needs nothing of what came before.

A leaf is told when the chain that leads to it has the root that was signed. Who may write into the topic may write
records that continue a leaf, too; where the first of them does not lead to the signed root, another one does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Self

from fluvial.transparency.chain import ChainEnd, signed_chain
from fluvial.transparency.checkpoint import Checkpoint, open_checkpoint
from fluvial.transparency.compact_range import CompactRange
from fluvial.transparency.merkle import leaf_hash
from fluvial.transparency.note import NoteKey
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError, VerificationError
from fluvial.wire.records import SequencedEvent

MAX_UNSIGNED = 200_000
"""Records without a checkpoint that are kept; some 100 MB."""


class TooManyUnsigned(VerificationError):
    """More records follow what is proven than are kept, and no checkpoint says which of them are leaves. Anybody who
    may write into the topic can have it so; from a later checkpoint on it goes on."""


@dataclass(frozen=True, slots=True)
class Proven:
    """How far a log is proven: its end, its tree, and the offset of the record in topic `audit` that follows."""

    end: ChainEnd = field(default_factory=ChainEnd)
    tree: CompactRange = field(default_factory=CompactRange.empty)
    offset: int = 0

    def dump(self) -> str:
        """A line of JSON to keep."""
        content = {"offset": self.offset, "previous_sha256": self.end.previous_sha256.hex()}
        return json.dumps({**content, "tree": self.tree.dump().hex()})

    @classmethod
    def load(cls, text: str) -> Self:
        """What `dump` wrote. Raises ValueError for anything else."""
        try:
            content = json.loads(text)
            tree = CompactRange.load(bytes.fromhex(content["tree"]))
            end = ChainEnd(tree.size, bytes.fromhex(content["previous_sha256"]))
            return cls(end, tree, int(content["offset"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"no place in a log: {error}") from error


class SignedLeaves:
    """log_key: that signs checkpoints. proven: where to go on.

    The methods raise VerificationError when two checkpoints contradict each other, or one what was proven.
    """

    def __init__(self, log_key: NoteKey, proven: Proven | None = None) -> None:
        self._log_key = log_key
        self.proven = proven or Proven()
        self._roots: dict[int, bytes] = {}
        self._records: list[tuple[int, bytes]] = []
        self._end, self._tree = self.proven.end, self.proven.tree
        self._walked: list[int] = []

    @property
    def num_unsigned(self) -> int:
        """Records read that no checkpoint has signed."""
        return len(self._records)

    @property
    def signed_size(self) -> int:
        """Leaves of the largest checkpoint taken in."""
        return max(self._roots, default=self.proven.end.size)

    def take_checkpoint(self, note: bytes) -> list[bytes]:
        """Take in a record of topic `checkpoints`; what the log's key did not sign is passed over. The leaves that it
        proves, in order."""
        try:
            checkpoint = open_checkpoint(note, self._log_key)
        except VerificationError:
            return []
        size = checkpoint.size
        known = self.proven.tree.root() if size == self.proven.end.size else self._roots.get(size, checkpoint.root)
        if known != checkpoint.root:
            raise VerificationError(f"the log was forked: two roots of {size} leaves are signed")
        if size <= self.proven.end.size:
            return []
        self._roots[size] = checkpoint.root
        if size > self._end.size:
            return []
        records, self._records = self._records, []
        self._begin()
        return [leaf for record in records for leaf in self.take_record(*record)]

    def take_record(self, offset: int, value: bytes) -> list[bytes]:
        """Take in the next record of topic `audit`. The leaves that are proven by now, in order."""
        try:
            sequenced = framing.decode(value, SequencedEvent)
        except DecodeError:
            return []
        if sequenced.sequence < self.proven.end.size:
            return []
        if len(self._records) >= MAX_UNSIGNED:
            raise TooManyUnsigned(f"{MAX_UNSIGNED} records follow leaf {self.proven.end.size}, and none is signed")
        self._records.append((offset, value))
        if self._end.why_not(sequenced):
            return []
        self._end, self._tree = self._end.after(value), self._tree.append(leaf_hash(value))
        self._walked.append(len(self._records) - 1)
        root = self._roots.get(self._end.size)
        if root is None:
            return []
        return self._proves(self._walked) if root == self._tree.root() else self.search()

    def search(self) -> list[bytes]:
        """The leaves that are proven by other records than the first that continue each leaf; for the end of a reading,
        when the checkpoints say that there must be more."""
        leaves: list[bytes] = []
        for size in sorted(self._roots):
            if size > self.proven.end.size and (chain := self._chain_to(size)):
                leaves += self._proves(chain)
        return leaves

    def _chain_to(self, size: int) -> list[int] | None:
        checkpoint = Checkpoint(origin=self._log_key.name, size=size, root=self._roots[size])
        return signed_chain((value for _, value in self._records), checkpoint, self.proven.end, self.proven.tree)

    def _begin(self) -> None:
        self._end, self._tree = self.proven.end, self.proven.tree
        self._walked = []

    def _proves(self, chain: list[int]) -> list[bytes]:
        leaves = [self._records[index][1] for index in chain]
        end, tree = self.proven.end, self.proven.tree
        for leaf in leaves:
            end, tree = end.after(leaf), tree.append(leaf_hash(leaf))
        self.proven = Proven(end, tree, self._records[chain[-1]][0] + 1)
        self._roots = {size: root for size, root in self._roots.items() if size > end.size}
        behind, self._records = self._records[chain[-1] + 1 :], []
        self._begin()
        return leaves + [leaf for record in behind for leaf in self.take_record(*record)]
