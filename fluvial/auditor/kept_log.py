"""What an audit has verified of a log, kept for the next one, which then reads only what has come since.

It is a file of the auditor's own, readable for nobody else, which holds the leaves of one checkpoint: their tree, and
what the checks need of them. Beside it stands the SHA-256 of the file. It is believed if it is the file that an audit
has kept, of this federation, and its tree has the root that the checkpoint in it has signed; the checkpoint is one that
the log must still have. So who may write to the brokers gains nothing by it. Whoever can change both files can change
the auditor's program as well.

Nothing is written before everything was verified, and then in one transaction; leaves that no checkpoint has signed are
read again the next time.
"""

from __future__ import annotations

import sqlite3
import struct
from hashlib import file_digest
from pathlib import Path
from typing import Self

from fluvial.auditor.shelf import Shelf
from fluvial.identity.federation import Federation
from fluvial.transparency.chain import ChainEnd
from fluvial.wire.errors import VerificationError
from fluvial.wire.files import check_regular, create_private, read_text, replace_file

_FORMAT = b"1"
_CHAIN = struct.Struct(">qq32s")


class KeptLog:
    """One such file. A context manager, behind which nothing of it can be asked. checkpoint: the note of the checkpoint
    that it is of; None where there is nothing yet."""

    def __init__(self, file: Path, federation: Federation) -> None:
        """Open it, or make it. Raises VerificationError for a file that is not as an audit of this federation has kept
        it, ValueError for what is no file, OSError for one that cannot be used or that another audit uses."""
        check_regular(file)
        self._file, self._sum = file, file.with_name(file.name + ".sha256")
        self._of = f"{federation.log_key} {federation.topics.scope} {federation.topics.prefix}".encode()
        if not file.exists():
            create_private(file, b"")
        try:
            self.shelf = Shelf(file)
        except sqlite3.DatabaseError as error:
            raise VerificationError(f"{file} is no file that an audit has kept: {error}") from error
        is_new = not file.stat().st_size  # now, when what an audit that was killed had begun is taken back
        if not is_new and (not self._sum.exists() or read_text(self._sum).strip() != _sha256(file)):
            raise VerificationError(
                f"{file} is not as an audit has kept it, or one was interrupted as it wrote. Without {file} and "
                f"{self._sum} everything is verified from the first leaf on."
            )
        self._database, _ = self.shelf.table("name TEXT PRIMARY KEY, value BLOB NOT NULL)", "state")
        if not is_new and (self._get("format"), self._get("federation")) != (_FORMAT, self._of):
            raise VerificationError(f"{file} was kept of another federation, or by another release")
        self.checkpoint = self._get("checkpoint")
        self._is_marked = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.shelf.close()

    def chain(self, size: int) -> tuple[ChainEnd, int]:
        """The end of the chain of leaves, and the offset behind the last of them. Raises VerificationError where there
        are others than that many."""
        kept = self._get("chain")
        if kept is None:
            return ChainEnd(), 0
        num_leaves, next_offset, previous_sha256 = _CHAIN.unpack(kept)
        if num_leaves != size:
            raise VerificationError(f"{self._file} has {size} leaves of {num_leaves}")
        return ChainEnd(size, previous_sha256), next_offset

    def mark(self, end: ChainEnd, next_offset: int) -> None:
        """So far the log is signed."""
        self._put("chain", _CHAIN.pack(end.size, next_offset, end.previous_sha256))
        self.shelf.mark()
        self._is_marked = True

    def keep(self, note: bytes) -> None:
        """Everything was verified. note: of the checkpoint that was marked. Raises OSError."""
        if not self._is_marked:
            return
        self.shelf.go_back_to_mark()
        for name, value in (("format", _FORMAT), ("federation", self._of), ("checkpoint", note)):
            self._put(name, value)
        self.shelf.commit()
        replace_file(self._sum, _sha256(self._file) + "\n")

    def _get(self, name: str) -> bytes | None:
        row = self._database.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def _put(self, name: str, value: bytes) -> None:
        self._database.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, value))


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest()
