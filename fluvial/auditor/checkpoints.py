"""Checks the topic `checkpoints` against the leaves: signature, root, and that the log only ever grew."""

from collections.abc import Iterator
from dataclasses import dataclass

from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.report import Problems
from fluvial.transparency.checkpoint import Checkpoint, open_checkpoint
from fluvial.transparency.note import NoteKey
from fluvial.transparency.tree import MerkleTree
from fluvial.wire.errors import VerificationError

CHECK = "checkpoints"


@dataclass(frozen=True, slots=True)
class Signed:
    """The good checkpoints: how many, and the newest with its note."""

    count: int
    newest: Checkpoint | None
    note: bytes


def read_checkpoints(
    records: Iterator[TopicRecord], tree: MerkleTree, log_key: NoteKey, problems: Problems, known: bytes | None = None
) -> Signed:
    """Check all checkpoints.

    1. Each is a note signed by the log's key and bears the log's name, without further lines. 2. Its size has been read
    and its root is that of so many leaves; since all roots are computed from the same leaves, all checkpoints are then
    consistent with one another. 3. No size is smaller than the one before it. known: the note of a checkpoint that the
    caller verified in the past; it must fulfil the same and not be newer than the newest.
    """
    count, newest, note = 0, None, b""
    for record in records:
        checkpoint = _check(record.value or b"", str(record), tree, log_key, problems)
        if checkpoint is None:
            continue
        if newest is not None and checkpoint.size < newest.size:
            problems.add(CHECK, record, f"checkpoint of {checkpoint.size} leaves comes after one of {newest.size}")
            continue
        count, newest, note = count + 1, checkpoint, record.value or b""
    if known is not None:
        trusted = _check(known, "known checkpoint", tree, log_key, problems)
        if trusted is not None and (newest is None or newest.size < trusted.size):
            problems.add(CHECK, "known checkpoint", f"the log was rolled back from {trusted.size} signed leaves")
    return Signed(count, newest, note)


def _check(note: bytes, where: str, tree: MerkleTree, log_key: NoteKey, problems: Problems) -> Checkpoint | None:
    try:
        checkpoint = open_checkpoint(note, log_key)
    except VerificationError as error:
        problems.add(CHECK, where, str(error))
        return None
    if checkpoint.extensions:
        problems.add(CHECK, where, "checkpoint has lines that nobody can audit")
    elif checkpoint.size > tree.size:
        problems.add(
            CHECK, where, f"{checkpoint.size} leaves were signed, but the log holds {tree.size}: leaves are missing"
        )
    elif checkpoint.root != tree.root(checkpoint.size):
        problems.add(CHECK, where, f"the signed root of {checkpoint.size} leaves is not that of the leaves in the log")
    else:
        return checkpoint
    return None
