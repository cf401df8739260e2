"""The durable outbox: what a participant has not yet delivered, in one SQLite file that survives crashes.

What is kept, and in which order it comes about:

1. `store`: an upload, which is one encoded delta for one round, cut in chunks. From here on a crash loses nothing.
2. `acknowledge`: where the broker put each chunk. A chunk with a position is never sent again.
3. `store_envelope`: the signed envelope of one attempt of the round, before it is sent. A repeat after a crash then has
   the same bytes, so that validation sees a duplicate and not an equivocation.
4. `mark_sent`: the envelope's position. The chunks' bytes are let go; their positions stay, so that a later attempt of
   the same round refers to them again.
5. `discard`: when the round is over. The positions of sent envelopes stay, for following verdicts and receipts.

One process at a time: the file is locked while open. Methods may be called from several threads. Every commit is synced
to disk (WAL, synchronous=FULL).
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fluvial.edge.errors import OutboxUnavailable
from fluvial.edge.transport import Position

_VERSION = 1
_KEPT_ENVELOPES = 1000
_PAGE_BYTES = 16 << 10  # chunks are large: fewer, larger pages halve the time of a store

_TABLES = """
CREATE TABLE uploads (
    upload_id TEXT PRIMARY KEY, task TEXT NOT NULL, round INTEGER NOT NULL, base_digest BLOB NOT NULL, template BLOB NOT
    NULL, UNIQUE (task, round));
CREATE TABLE chunks (
    upload_id TEXT NOT NULL REFERENCES uploads ON DELETE CASCADE, chunk INTEGER NOT NULL, length INTEGER NOT NULL,
    sha256 BLOB NOT NULL, data BLOB, partition INTEGER, "offset" INTEGER, PRIMARY KEY (upload_id, chunk));
CREATE TABLE envelopes (
    update_id TEXT PRIMARY KEY, upload_id TEXT NOT NULL, task TEXT NOT NULL, round INTEGER NOT NULL, attempt INTEGER NOT
    NULL, value BLOB, partition INTEGER, "offset" INTEGER, timestamp_ms INTEGER, UNIQUE (task, round, attempt));
CREATE TABLE owner (participant TEXT NOT NULL);
"""


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

        Raises OutboxUnavailable when another process has it open, or when it is another participant's.
        """
        self._lock = threading.RLock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, timeout=0.5, check_same_thread=False, isolation_level=None)
        try:
            self._open(participant)
        except sqlite3.OperationalError as error:
            self._database.close()
            raise OutboxUnavailable(f"the outbox {path} is in use by another process ({error})") from error
        except BaseException:
            self._database.close()
            raise
        path.chmod(0o600)

    def store(self, upload: Upload, chunks: Sequence[tuple[bytes, bytes]]) -> None:
        """Keeps an upload in place of the round's earlier one.

        Chunks: (bytes, their SHA-256), in chunk order; none for an inline update.
        """
        with self._transaction() as database:
            database.execute("DELETE FROM uploads WHERE task = ? AND round = ?", (upload.task, upload.round))
            database.execute(
                "INSERT INTO uploads VALUES (?, ?, ?, ?, ?)",
                (upload.upload_id, upload.task, upload.round, upload.base_digest, upload.template),
            )
            database.executemany(
                "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, NULL, NULL)",
                ((upload.upload_id, chunk, len(data), sha256, data) for chunk, (data, sha256) in enumerate(chunks)),
            )

    def uploads(self, task: str | None = None) -> list[Upload]:
        """Everything not discarded, of one task or of all."""
        rows = self._rows(
            "SELECT upload_id, task, round, base_digest, template FROM uploads"
            " WHERE ?1 IS NULL OR task = ?1 ORDER BY round",
            (task,),
        )
        return [
            Upload(upload_id=row[0], task=row[1], round=row[2], base_digest=row[3], template=row[4]) for row in rows
        ]

    def upload_of(self, task: str, round_number: int) -> Upload | None:
        """The round's upload."""
        return next((upload for upload in self.uploads(task) if upload.round == round_number), None)

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
        rows = self._rows("SELECT data FROM chunks WHERE upload_id = ? AND chunk = ?", (upload_id, chunk))
        if not rows or rows[0][0] is None:
            raise KeyError((upload_id, chunk))
        return bytes(rows[0][0])

    def acknowledge(self, upload_id: str, positions: Mapping[int, Position]) -> None:
        """Keeps where chunks lie."""
        with self._transaction() as database:
            database.executemany(
                'UPDATE chunks SET partition = ?, "offset" = ? WHERE upload_id = ? AND chunk = ?',
                ((at.partition, at.offset, upload_id, chunk) for chunk, at in positions.items()),
            )

    def store_envelope(self, envelope: OutboxEnvelope) -> None:
        """Keeps an envelope that is about to be sent."""
        with self._transaction() as database:
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

    def envelopes(self, task: str | None = None) -> list[OutboxEnvelope]:
        """All envelopes known, oldest first."""
        rows = self._rows(
            'SELECT update_id, upload_id, task, round, attempt, value, partition, "offset", timestamp_ms FROM envelopes'
            " WHERE ?1 IS NULL OR task = ?1 ORDER BY rowid",
            (task,),
        )
        return [_envelope(row) for row in rows]

    def envelope_of(self, task: str, round_number: int, attempt: int) -> OutboxEnvelope | None:
        """The envelope of one attempt of a round."""
        return next(
            (found for found in self.envelopes(task) if (found.round, found.attempt) == (round_number, attempt)), None
        )

    def mark_sent(self, update_id: str, position: Position) -> None:
        """Keeps the envelope's position and lets go of the chunks' bytes."""
        with self._transaction() as database:
            database.execute(
                'UPDATE envelopes SET partition = ?, "offset" = ?, timestamp_ms = ? WHERE update_id = ?',
                (position.partition, position.offset, position.timestamp_ms, update_id),
            )
            database.execute(
                "UPDATE chunks SET data = NULL WHERE upload_id = (SELECT upload_id FROM envelopes WHERE update_id = ?)",
                (update_id,),
            )

    def discard(self, upload_id: str) -> None:
        """Forgets an upload whose round is over, with the envelopes of it that were never sent."""
        with self._transaction() as database:
            database.execute("DELETE FROM uploads WHERE upload_id = ?", (upload_id,))
            database.execute("DELETE FROM envelopes WHERE upload_id = ? AND partition IS NULL", (upload_id,))
            database.execute("UPDATE envelopes SET value = NULL WHERE upload_id = ?", (upload_id,))
            database.execute(
                "DELETE FROM envelopes WHERE rowid <= (SELECT max(rowid) FROM envelopes) - ?", (_KEPT_ENVELOPES,)
            )

    def close(self) -> None:
        """Closes the file; everything in it is safe already."""
        with self._lock:
            self._database.close()

    def _open(self, participant: str) -> None:
        database = self._database
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
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
            (owner,) = database.execute("SELECT participant FROM owner").fetchone()
        if owner != participant:
            raise OutboxUnavailable(f"the outbox belongs to the participant {owner}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def _rows(self, statement: str, parameters: tuple[Any, ...]) -> list[Any]:
        with self._lock:
            return self._database.execute(statement, parameters).fetchall()


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
