"""Bytes that an audit appends to and reads from, on disk but for the last of them."""

from __future__ import annotations

import tempfile
import weakref
from typing import IO

from fluvial.auditor.shelf import Shelf

_TAIL_BYTES = 1 << 16


class FileBytes:
    """Bytes that are appended to and read from, in a file without a name, but for the last of them."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._written = 0
        self._tail = bytearray()

    def __iadd__(self, data: bytes) -> FileBytes:
        self._tail += data
        if len(self._tail) >= 2 * _TAIL_BYTES:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as this object)
                weakref.finalize(self, self._file.close)
            self._file.seek(self._written)
            self._file.write(self._tail[:_TAIL_BYTES])
            del self._tail[:_TAIL_BYTES]
            self._written += _TAIL_BYTES
        return self

    def __len__(self) -> int:
        return self._written + len(self._tail)

    def __getitem__(self, part: slice) -> bytes:
        """part: with both ends, within the length."""
        start, stop = part.start - self._written, part.stop - self._written
        if start >= 0 or self._file is None:
            return bytes(self._tail[start:stop])
        self._file.seek(part.start)
        found = self._file.read(min(part.stop, self._written) - part.start)
        return found + bytes(self._tail[:stop]) if stop > 0 else found


class KeptBytes:
    """Likewise in a file that stays. table: its name there. What is appended is in the file after `flush` alone."""

    def __init__(self, shelf: Shelf, table: str) -> None:
        self._shelf = shelf
        self._database, _ = shelf.table("page INTEGER PRIMARY KEY, data BLOB NOT NULL)", table)
        self._put = f"INSERT OR REPLACE INTO {table} VALUES (?, ?)"
        self._get = f"SELECT substr(data, ?, ?) FROM {table} WHERE page = ?"
        last = self._database.execute(f"SELECT page, data FROM {table} ORDER BY page DESC LIMIT 1").fetchone()
        self._page: int = last[0] if last else 0
        """Number of the page that the tail begins with."""
        self._tail = bytearray(last[1] if last else b"")

    def __iadd__(self, data: bytes) -> KeptBytes:
        self._tail += data
        if len(self._tail) >= 2 * _TAIL_BYTES:
            self._database.execute(self._put, (self._page, bytes(self._tail[:_TAIL_BYTES])))
            del self._tail[:_TAIL_BYTES]
            self._page += 1
        return self

    def flush(self) -> None:
        """Write the tail, too."""
        for number in range(0, len(self._tail), _TAIL_BYTES):
            page = bytes(self._tail[number : number + _TAIL_BYTES])
            self._database.execute(self._put, (self._page + number // _TAIL_BYTES, page))

    def __len__(self) -> int:
        return self._page * _TAIL_BYTES + len(self._tail)

    def __getitem__(self, part: slice) -> bytes:
        """part: with both ends, within the length, and within one page."""
        start = part.start - self._page * _TAIL_BYTES
        if start >= 0:
            return bytes(self._tail[start : start + part.stop - part.start])
        page, at = divmod(part.start, _TAIL_BYTES)
        data: bytes = self._database.execute(self._get, (at + 1, part.stop - part.start, page)).fetchone()[0]
        return data
