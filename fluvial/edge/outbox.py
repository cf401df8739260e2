"""The durable outbox: what a participant has not yet delivered. It survives crashes, in an SQLite file and, for the
bytes of updates, in plain files beside it (`upload_files.py`).

What is kept, and in which order it comes about:

1. `store`: an upload, which is one encoded delta for one round, cut in chunks. From here on a crash loses nothing.
2. `acknowledge`: where the broker put each chunk. A chunk with a position is never sent again.
3. `store_envelope`: the signed envelope of one attempt of the round, before it is sent. A repeat after a crash then has
   the same bytes, so that validation sees a duplicate and not an equivocation.
4. `mark_sent`: the envelope's position. The file is removed; the chunks' positions stay, so that a later attempt of
   the same round refers to them again.
5. `discard`: when the round is over. The positions of sent envelopes stay, for following verdicts and receipts.
6. `remember_told`: which of these were told, so that a process that starts again does not tell them again.

One process at a time: the database is locked while open. Methods may be called from several threads.

What survives what. The death of the process: everything. A power failure: every envelope, because its commit and all
before it are synced when `store_envelope` returns; later commits, and the files, as far as the system has written them.
An upload whose missing chunks are then damaged is forgotten when the outbox is opened, as if it had never been stored:
nothing of it was signed. A position that was lost costs a chunk sent twice.
"""

import hashlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fluvial.edge.errors import OutboxUnavailable
from fluvial.edge.outbox_file import prepare, unavailable
from fluvial.edge.upload_files import UploadFiles
from fluvial.kafka import Position

_VERSION = 2
_KEPT_ENVELOPES = 1000
_KEPT_TOLD = 4 * _KEPT_ENVELOPES

_TABLES = """
CREATE TABLE uploads (
    upload_id TEXT PRIMARY KEY, task TEXT NOT NULL, round INTEGER NOT NULL, base_digest BLOB NOT NULL, template BLOB NOT
    NULL, UNIQUE (task, round));
CREATE TABLE chunks (
    upload_id TEXT NOT NULL REFERENCES uploads ON DELETE CASCADE, chunk INTEGER NOT NULL, length INTEGER NOT NULL,
    sha256 BLOB NOT NULL, partition INTEGER, "offset" INTEGER, PRIMARY KEY (upload_id, chunk));
CREATE TABLE envelopes (
    update_id TEXT PRIMARY KEY, upload_id TEXT NOT NULL, task TEXT NOT NULL, round INTEGER NOT NULL, attempt INTEGER NOT
    NULL, value BLOB, partition INTEGER, "offset" INTEGER, timestamp_ms INTEGER, UNIQUE (task, round, attempt));
CREATE TABLE owner (participant TEXT NOT NULL);
"""

# Apart, because former releases of this version neither have it nor miss it.
_TOLD = "CREATE TABLE IF NOT EXISTS told (answer TEXT PRIMARY KEY)"

_UPLOADS = "SELECT upload_id, task, round, base_digest, template FROM uploads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An encoded delta.

    Template: the framed ModelUpdate, which lacks attempt, chunk references and the identity of later attempts.
    """

    upload_id: str
    task: str
    round: int
    base_digest: bytes
    template: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxChunk:
    """One chunk of an upload; partition and offset once the broker has acknowledged it."""

    chunk: int
    length: int
    sha256: bytes
    partition: int | None
    offset: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEnvelope:
    """One attempt's signed envelope. value: the bytes, None once the round is over. position: None until it is sent."""

    update_id: str
    upload_id: str
    task: str
    round: int
    attempt: int
    value: bytes | None
    position: Position | None


class Outbox:
    """See the module."""

    def __init__(self, path: Path, participant: str) -> None:
        """Opens or creates the file.

        Raises OutboxUnavailable when another process has it open, when it is another participant's, and when the file
        cannot be used, as every method does.
        """
        self._lock = threading.RLock()
        self._path = path
        prepare(path)
        self._files = UploadFiles(path.parent / f"{path.name}.uploads")
        with self._errors_told():
            self._database = sqlite3.connect(path, timeout=0.5, check_same_thread=False, isolation_level=None)
        try:
            with self._errors_told():
                self._open(participant)
            self._tidy()
        except BaseException:
            self._database.close()
            raise

    def store(self, upload: Upload, chunks: Sequence[tuple[bytes | memoryview, bytes]]) -> None:
        """Keeps an upload in place of the round's earlier one.

        Chunks: (bytes, their SHA-256), in chunk order; none for an inline update. Raises OSError when the disk is full.
        """
        replaced = self.upload_of(upload.task, upload.round)
        with self._transaction() as database:
            database.execute("DELETE FROM uploads WHERE task = ? AND round = ?", (upload.task, upload.round))
            database.execute(
                "INSERT INTO uploads VALUES (?, ?, ?, ?, ?)",
                (upload.upload_id, upload.task, upload.round, upload.base_digest, upload.template),
            )
            database.executemany(
                "INSERT INTO chunks VALUES (?, ?, ?, ?, NULL, NULL)",
                ((upload.upload_id, chunk, len(data), sha256) for chunk, (data, sha256) in enumerate(chunks)),
            )
            if chunks:
                self._files.write(upload.upload_id, (data for data, _ in chunks))
        if replaced is not None and replaced.upload_id != upload.upload_id:
            self._files.remove(replaced.upload_id)

    def uploads(self, task: str | None = None) -> list[Upload]:
        """Everything not discarded, of one task or of all."""
        where, of_task = ("", ()) if task is None else ("WHERE task = ?", (task,))
        return [_upload(row) for row in self._rows(f"{_UPLOADS} {where} ORDER BY round", of_task)]

    def upload_of(self, task: str, round_number: int) -> Upload | None:
        """The round's upload."""
        rows = self._rows(f"{_UPLOADS} WHERE task = ? AND round = ?", (task, round_number))
        return _upload(rows[0]) if rows else None

    def chunks(self, upload_id: str) -> list[OutboxChunk]:
        """The upload's chunks in order, without their bytes."""
        rows = self._rows(
            'SELECT chunk, length, sha256, partition, "offset" FROM chunks WHERE upload_id = ? ORDER BY chunk',
            (upload_id,),
        )
        return [
            OutboxChunk(chunk=row[0], length=row[1], sha256=row[2], partition=row[3], offset=row[4]) for row in rows
        ]

    def chunk_bytes(self, upload_id: str, chunk: int) -> bytes:
        """The bytes of a chunk not yet let go. Raises KeyError."""
        ((start, length),) = self._rows(
            "SELECT total(length) FILTER (WHERE chunk < ?2), sum(length) FILTER (WHERE chunk = ?2) FROM chunks"
            " WHERE upload_id = ?1",
            (upload_id, chunk),
        )
        if length is None:
            raise KeyError((upload_id, chunk))
        try:
            return self._files.read(upload_id, int(start), length)
        except FileNotFoundError:
            raise KeyError((upload_id, chunk)) from None

    def sync(self, upload_id: str) -> None:
        """Forces an upload's bytes to disk, for when its delivery takes long."""
        self._files.sync(upload_id)

    def acknowledge(self, upload_id: str, positions: Mapping[int, Position]) -> None:
        """Keeps where chunks lie."""
        with self._transaction() as database:
            database.executemany(
                'UPDATE chunks SET partition = ?, "offset" = ? WHERE upload_id = ? AND chunk = ?',
                ((at.partition, at.offset, upload_id, chunk) for chunk, at in positions.items()),
            )

    def store_envelope(self, envelope: OutboxEnvelope) -> None:
        """Keeps an envelope that is about to be sent; synced to disk when this returns."""
        with self._transaction(synced=True) as database:
            database.execute(
                "INSERT INTO envelopes VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, NULL)",
                (
                    envelope.update_id,
                    envelope.upload_id,
                    envelope.task,
                    envelope.round,
                    envelope.attempt,
                    envelope.value,
                ),
            )

    def envelopes(self, task: str | None = None, round_number: int | None = None) -> list[OutboxEnvelope]:
        """All envelopes known, oldest first; of a task, or of one round of it."""
        wanted = {column: value for column, value in (("task", task), ("round", round_number)) if value is not None}
        where = " AND ".join(f"{column} = ?" for column in wanted)
        rows = self._rows(
            'SELECT update_id, upload_id, task, round, attempt, value, partition, "offset", timestamp_ms FROM envelopes'
            f" {'WHERE' if where else ''} {where} ORDER BY rowid",
            tuple(wanted.values()),
        )
        return [_envelope(row) for row in rows]

    def envelope_of(self, task: str, round_number: int, attempt: int) -> OutboxEnvelope | None:
        """The envelope of one attempt of a round."""
        return next((found for found in self.envelopes(task, round_number) if found.attempt == attempt), None)

    def mark_sent(self, update_id: str, position: Position) -> None:
        """Keeps the envelope's position and lets go of the upload's bytes."""
        with self._transaction() as database:
            database.execute(
                'UPDATE envelopes SET partition = ?, "offset" = ?, timestamp_ms = ? WHERE update_id = ?',
                (position.partition, position.offset, position.timestamp_ms, update_id),
            )
        for (upload_id,) in self._rows("SELECT upload_id FROM envelopes WHERE update_id = ?", (update_id,)):
            self._files.remove(upload_id)

    def discard(self, upload_id: str) -> None:
        """Forgets an upload whose round is over, with the envelopes of it that were never sent."""
        with self._transaction() as database:
            database.execute("DELETE FROM uploads WHERE upload_id = ?", (upload_id,))
            database.execute("DELETE FROM envelopes WHERE upload_id = ? AND partition IS NULL", (upload_id,))
            database.execute("UPDATE envelopes SET value = NULL WHERE upload_id = ?", (upload_id,))
            database.execute(
                "DELETE FROM envelopes WHERE rowid <= (SELECT max(rowid) FROM envelopes) - ?", (_KEPT_ENVELOPES,)
            )
        self._files.remove(upload_id)

    def was_told(self, answer: str) -> bool:
        """Whether an answer of this name was told before; of the last thousands."""
        return bool(self._rows("SELECT 1 FROM told WHERE answer = ?", (answer,)))

    def remember_told(self, answer: str) -> None:
        """This answer was told."""
        with self._transaction() as database:
            database.execute("INSERT OR IGNORE INTO told VALUES (?)", (answer,))
            database.execute("DELETE FROM told WHERE rowid <= (SELECT max(rowid) FROM told) - ?", (_KEPT_TOLD,))

    def close(self) -> None:
        """Closes the database, after what is still to be delivered has been forced to disk."""
        for upload_id in self._files.upload_ids():
            self._files.sync(upload_id)
        with self._lock:
            self._database.close()

    def _open(self, participant: str) -> None:
        database = self._database
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA foreign_keys = ON")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise OutboxUnavailable(f"the outbox was written by another version of fluvial (format {version})")
        with self._transaction():
            if version == 0:
                for statement in _TABLES.split(";"):
                    database.execute(statement)
                database.execute("INSERT INTO owner VALUES (?)", (participant,))
                database.execute(f"PRAGMA user_version = {_VERSION}")
            database.execute(_TOLD)
            (owner,) = database.execute("SELECT participant FROM owner").fetchone()
        if owner != participant:
            raise OutboxUnavailable(f"the outbox belongs to the participant {owner}")

    def _tidy(self) -> None:
        """Removes what a crash left: files that nothing refers to, and uploads whose missing chunks are damaged."""
        sent = {envelope.upload_id for envelope in self.envelopes() if envelope.position is not None}
        unsent = {upload.upload_id for upload in self.uploads()} - sent
        for upload_id in self._files.upload_ids() - unsent:
            self._files.remove(upload_id)
        for upload_id in unsent:
            missing = [chunk for chunk in self.chunks(upload_id) if chunk.offset is None]
            if not all(self._is_whole(upload_id, chunk) for chunk in missing):
                self.discard(upload_id)

    def _is_whole(self, upload_id: str, chunk: OutboxChunk) -> bool:
        try:
            return hashlib.sha256(self.chunk_bytes(upload_id, chunk.chunk)).digest() == chunk.sha256
        except KeyError:
            return False

    @contextmanager
    def _transaction(self, *, synced: bool = False) -> Iterator[sqlite3.Connection]:
        """synced: on disk when it ends, with all before it; otherwise whenever SQLite's log is written."""
        with self._lock, self._errors_told():
            if synced:
                self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # after some errors SQLite has taken it back already
                    self._database.execute("ROLLBACK")
                raise
            finally:
                if synced:
                    self._database.execute("PRAGMA synchronous = NORMAL")

    def _rows(self, statement: str, parameters: tuple[Any, ...]) -> list[Any]:
        with self._lock, self._errors_told():
            return self._database.execute(statement, parameters).fetchall()

    @contextmanager
    def _errors_told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):  # a mistake in the code that calls
            raise
        except sqlite3.Error as error:
            raise unavailable(self._path, error) from error


def _upload(row: Any) -> Upload:
    return Upload(upload_id=row[0], task=row[1], round=row[2], base_digest=row[3], template=row[4])


def _envelope(row: Any) -> OutboxEnvelope:
    sent = row[6] is not None
    return OutboxEnvelope(
        update_id=row[0],
        upload_id=row[1],
        task=row[2],
        round=row[3],
        attempt=row[4],
        value=row[5],
        position=Position(partition=row[6], offset=row[7], timestamp_ms=row[8]) if sent else None,
    )
