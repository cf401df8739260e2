"""Checks the topic `checkpoints` against the leaves: signature and root. Who may write to the brokers may put anything
into the topic; only what the log's key signed says something."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.report import Findings, Problems
from fluvial.transparency.checkpoint import Checkpoint, open_checkpoint
from fluvial.transparency.note import NoteKey
from fluvial.transparency.tree import MerkleTree
from fluvial.wire.errors import VerificationError

CHECK = "checkpoints"


@dataclass(frozen=True, slots=True)
class Signed:
    """The good checkpoints: how many, and the one of most leaves with its note."""

    count: int
    newest: Checkpoint | None
    note: bytes


def newest_signed(records: Iterable[TopicRecord], log_key: NoteKey) -> Checkpoint | None:
    """The checkpoint of most leaves that the log's key signed, unchecked otherwise."""
    newest: Checkpoint | None = None
    for record in records:
        try:
            checkpoint = open_checkpoint(record.value or b"", log_key)
        except VerificationError:
            continue
        if newest is None or checkpoint.size >= newest.size:
            newest = checkpoint
    return newest


def read_checkpoints(
    records: Iterator[TopicRecord],
    tree: MerkleTree,
    log_key: NoteKey,
    findings: Findings,
    known: bytes | None = None,
) -> Signed:
    """Check all checkpoints.

    1. A checkpoint is a note signed by the log's key and bears the log's name; other records are skipped. 2. It has no
    further lines, its size has been read and its root is that of so many leaves; since all roots are computed from the
    same leaves, all checkpoints are then consistent with one another, in whatever order they lie: an old one may come
    again, and says nothing new. known: the note of a checkpoint that the caller verified in the past; it must fulfil
    the same and not be of more leaves than the newest.
    """
    problems = findings.problems
    count, newest, note = 0, None, b""
    for record in records:
        try:
            checkpoint = open_checkpoint(record.value or b"", log_key)
        except VerificationError as error:
            findings.skipped.add(CHECK, record, str(error))
            continue
        if not _holds(checkpoint, str(record), tree, problems):
            continue
        count += 1
        if newest is None or checkpoint.size >= newest.size:
            newest, note = checkpoint, record.value or b""
    if known is not None:
        try:
            trusted = open_checkpoint(known, log_key)
        except VerificationError as error:
            problems.add(CHECK, "known checkpoint", str(error))
        else:
            holds = _holds(trusted, "known checkpoint", tree, problems)
            if holds and (newest is None or newest.size < trusted.size):
                problems.add(CHECK, "known checkpoint", f"the log was rolled back from {trusted.size} signed leaves")
    return Signed(count, newest, note)


def _holds(checkpoint: Checkpoint, where: str, tree: MerkleTree, problems: Problems) -> bool:
    if checkpoint.extensions:
        problems.add(CHECK, where, "checkpoint has lines that nobody can audit")
    elif checkpoint.size > tree.size:
        problems.add(
            CHECK, where, f"{checkpoint.size} leaves were signed, but the log holds {tree.size}: leaves are missing"
        )
    elif checkpoint.root != tree.root(checkpoint.size):
        problems.add(CHECK, where, f"the signed root of {checkpoint.size} leaves is not that of the leaves in the log")
    else:
        return True
    return False
