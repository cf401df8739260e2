"""The bytes of updates that are not delivered yet: one plain file each, in a folder beside the outbox.

A file is written once, read chunk by chunk while it is uploaded, and removed; the database keeps digests and states
alone. Large values in SQLite are written twice (log and table) and copied page by page, which took half of an upload's
time.

Writing hands the bytes to the kernel, so that the death of the process loses nothing. They are forced to disk by `sync`
only when delivery takes longer than usual (`upload.py`): most files are gone before the kernel would have written
them. After a power failure before that a file may be short or hold zeros; who opens it again checks its digests.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

_FLAGS = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | getattr(os, "O_BINARY", 0)


class UploadFiles:
    """Files by upload id. Only the owner may read them; the folder is made at first need."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def write(self, upload_id: str, chunks: Iterable[bytes | memoryview]) -> None:
        """Writes the chunks one after the other. Raises OSError, and then leaves no file."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        path = self._path(upload_id)
        descriptor = os.open(path, _FLAGS, 0o600)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                for chunk in chunks:
                    left = memoryview(chunk).cast("B")
                    while left:
                        left = left[file.write(left) :]
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def read(self, upload_id: str, start: int, length: int) -> bytes:
        """Bytes from `start` on, fewer at the file's end. Raises FileNotFoundError."""
        with self._path(upload_id).open("rb", buffering=0) as file:
            file.seek(start)
            return file.read(length)

    def sync(self, upload_id: str) -> None:
        """Forces a file to disk, if there is one."""
        with contextlib.suppress(FileNotFoundError), self._path(upload_id).open("rb+", buffering=0) as file:
            os.fsync(file.fileno())

    def remove(self, upload_id: str) -> None:
        """Removes a file, if there is one."""
        self._path(upload_id).unlink(missing_ok=True)

    def upload_ids(self) -> set[str]:
        """Uploads that have a file."""
        return {path.name for path in self._directory.iterdir()} if self._directory.is_dir() else set()

    def _path(self, upload_id: str) -> Path:
        return self._directory / upload_id
