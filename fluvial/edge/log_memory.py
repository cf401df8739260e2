"""What a participant remembers of the audit log: the checkpoint of most leaves that it has seen, in a file beside its
outbox. A log that is later of fewer leaves was rolled back, and two checkpoints of as many leaves with different roots
are a fork, which the two notes prove to anybody. That a larger log contains the remembered one takes its leaves to
prove: `fluvial audit verify --known FILE` takes this file.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fluvial.transparency.checkpoint import Checkpoint, open_checkpoint
from fluvial.transparency.note import NoteKey
from fluvial.wire.errors import VerificationError
from fluvial.wire.files import write_private

SUFFIX = ".checkpoint"


class LogMemory:
    """log_key: of the federation's log. Raises VerificationError where the file holds no checkpoint of this log, and
    OSError."""

    def __init__(self, path: Path, log_key: NoteKey) -> None:
        self._path = path
        self._log_key = log_key
        self._note = path.read_bytes() if path.exists() else b""
        self.known = open_checkpoint(self._note, log_key) if self._note else None

    @property
    def since_s(self) -> float | None:
        """When the file was written, in seconds since 1970."""
        return self._path.stat().st_mtime if self.known is not None else None

    def take(self, notes: Iterable[bytes], *, is_whole: bool) -> bool:
        """Take in records of the topic `checkpoints`, in any order; what the log's key did not sign is passed over.
        Whether they say all that there is to say: if not, the whole topic is to be read (is_whole).

        Raises VerificationError for a fork or a log that was rolled back; then the file stays as it is.
        """
        roots = {} if self.known is None else {self.known.size: self.known.root}
        newest: tuple[Checkpoint, bytes] | None = None
        for note in notes:
            try:
                checkpoint = open_checkpoint(note, self._log_key)
            except VerificationError:
                continue
            if roots.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
                raise VerificationError(
                    f"the audit log was forked: two checkpoints of {checkpoint.size} leaves are signed that differ. "
                    f"Tell the other participants; the one that was known is in {self._path}"
                )
            if newest is None or checkpoint.size > newest[0].size:
                newest = checkpoint, note
        size = newest[0].size if newest is not None else 0
        if self.known is not None and size < self.known.size:
            if not is_whole:
                return False
            raise VerificationError(
                f"the audit log was rolled back: {self.known.size} leaves were signed, now there are {size}. The "
                f"checkpoint that was known is in {self._path}"
            )
        if newest is None:
            return is_whole
        if self.known is None or size > self.known.size:
            write_private(self._path, newest[1])
            self.known = newest[0]
        return True
