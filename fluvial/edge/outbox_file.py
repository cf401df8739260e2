"""The file under the outbox: private from the first byte on, and its errors in words that say what to do."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from fluvial.edge.errors import OutboxUnavailable
from fluvial.wire.files import check_regular, make_private_folder

_IN_USE = "is in use by another process, or by a Participant of this one that was not closed"

_REASONS = {
    sqlite3.SQLITE_BUSY: _IN_USE,
    sqlite3.SQLITE_LOCKED: _IN_USE,
    sqlite3.SQLITE_READONLY: "may be read but not written",
    sqlite3.SQLITE_FULL: "has no room: the disk is full, or a limit on the size of files is reached",
    sqlite3.SQLITE_IOERR: "cannot be read or written",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_PERM: "cannot be opened",
    sqlite3.SQLITE_CORRUPT: "is damaged; move it away to begin with a new one, without what was not delivered",
    sqlite3.SQLITE_NOTADB: "is damaged or is no outbox; move it away to begin with a new one",
}


def prepare(path: Path) -> None:
    """Make file and folder where they are missing, and the file its owner's alone: SQLite gives its log the same
    permissions. Raises OutboxUnavailable."""
    try:
        check_regular(path)  # whose permissions are changed next
        make_private_folder(path.parent)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        for file in (path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))):
            if file.exists():
                file.chmod(0o600)
    except ValueError as error:
        raise OutboxUnavailable(f"the outbox {error}") from error
    except OSError as error:
        raise OutboxUnavailable(f"the outbox {path} cannot be opened: {error.strerror}") from error


def unavailable(path: Path, error: sqlite3.Error) -> OutboxUnavailable:
    """What an error of the database means for who uses the outbox."""
    reason = _REASONS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "cannot be used")
    return OutboxUnavailable(f"the outbox {path} {reason} ({error})")
