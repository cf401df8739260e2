"""What an audit keeps of every leaf, on disk, so that its memory does not grow with the log.

One private database of SQLite that has no name: it stays in a bounded cache as long as it fits, and beyond that in a
file of the system's temporary folder (SQLITE_TMPDIR, TMPDIR) that nobody else can open and that is gone with the
process. Nothing of it is believed later. What an audit keeps for the next one lies in a file (`kept_log.py`).
"""

from __future__ import annotations

import errno
import sqlite3
import tempfile
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

CACHE_BYTES = 32 << 20
"""Of the database in memory."""
_DECODED = 64

K = TypeVar("K")
V = TypeVar("V")


class _Database(sqlite3.Connection):
    """Whose troubles are those of the folder that it lies in, and told so."""

    file: Path | None = None

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        """Raises OSError with the temporary folder: ENOSPC when it is full."""
        try:
            return super().execute(*statement)
        except sqlite3.OperationalError as error:
            number = errno.ENOSPC if error.sqlite_errorcode == sqlite3.SQLITE_FULL else errno.EIO
            raise OSError(number, str(error), str(self.file or tempfile.gettempdir())) from error


class Shelf:
    """One database; not for several threads. file: where it lies, which nobody else uses meanwhile; nothing stays there
    without `commit`. Raises OSError where the folder is full or cannot be used."""

    def __init__(self, file: Path | None = None) -> None:
        # Whichever thread finds that nobody has it any more closes it.
        self._database = sqlite3.connect(
            str(file or ""), isolation_level=None, factory=_Database, timeout=1.0, check_same_thread=False
        )
        self._database.file = file
        weakref.finalize(self, self._database.close)
        journal, begin = ("OFF", "BEGIN") if file is None else ("DELETE", "BEGIN EXCLUSIVE")
        for setting in (f"cache_size = -{CACHE_BYTES >> 10}", f"journal_mode = {journal}", "synchronous = OFF"):
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute(begin)
        self._tables = 0

    def table(self, columns: str, name: str = "") -> tuple[sqlite3.Connection, str]:
        """A table with these columns, and its name: a new one, or in a file the one that may be there."""
        self._tables += 1
        name = name or f"t{self._tables}"
        self._database.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns}")
        return self._database, name

    def mark(self) -> None:
        """`go_back_to_mark` comes back to what is there now."""
        self._database.execute("SAVEPOINT mark")

    def go_back_to_mark(self) -> None:
        """What was put since is gone."""
        self._database.execute("ROLLBACK TO mark")

    def commit(self) -> None:
        """Write to the file."""
        self._database.execute("COMMIT")

    def close(self) -> None:
        """Nothing can be asked any more."""
        self._database.close()


class Kept(Mapping[K, V], Generic[K, V]):
    """Values by key, in the order in which they were put; each is decoded when it is asked for. name: the key's bytes,
    another for each key. load: the value from its bytes. key_of: of a value."""

    def __init__(
        self,
        shelf: Shelf,
        name: Callable[[K], bytes],
        load: Callable[[bytes], V],
        key_of: Callable[[V], K],
        table: str = "",
    ) -> None:
        """table: its name in a file."""
        self._shelf = shelf  # which closes the database when nobody has it any more
        self._database, table = shelf.table("n INTEGER PRIMARY KEY, k BLOB NOT NULL UNIQUE, v BLOB NOT NULL)", table)
        self._name, self._load, self._key_of = name, load, key_of
        self._put = f"INSERT OR IGNORE INTO {table} (k, v) VALUES (?, ?)"
        self._get = f"SELECT v FROM {table} WHERE k = ?"
        self._has = f"SELECT 1 FROM {table} WHERE k = ?"
        self._all = f"SELECT v FROM {table} WHERE n > ? ORDER BY n LIMIT 1000"
        self._at = f"SELECT v FROM {table} WHERE n = ?"
        # Nothing is ever deleted, so rows are numbered from 1 without a gap.
        self._len = f"SELECT coalesce(max(n), 0) FROM {table}"
        self._decoded: OrderedDict[K, V] = OrderedDict()

    def put(self, key: K, data: bytes) -> bool:
        """Keep a value by its bytes, unless there is one of this key. Whether there was none."""
        return self._database.execute(self._put, (self._name(key), data)).rowcount > 0

    def __getitem__(self, key: K) -> V:
        if key in self._decoded:
            self._decoded.move_to_end(key)
            return self._decoded[key]
        row = self._database.execute(self._get, (self._name(key),)).fetchone()
        if row is None:
            raise KeyError(key)
        value = self._decoded[key] = self._load(row[0])
        if len(self._decoded) > _DECODED:
            self._decoded.popitem(last=False)
        return value

    def __contains__(self, key: object) -> bool:
        return self._database.execute(self._has, (self._name(key),)).fetchone() is not None  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[K]:
        return (self._key_of(value) for value in self.each())

    def __len__(self) -> int:
        return int(self._database.execute(self._len).fetchone()[0])

    def each(self) -> Iterator[V]:
        """All values; what is put meanwhile, too."""
        return self._behind(0)

    def each_from(self, least: bytes) -> Iterator[V]:
        """Values from the first on whose bytes are not less than these; of those that were put in their order."""
        done, end = 0, len(self)
        while done < end:
            middle = (done + end) // 2
            if self._database.execute(self._at, (middle + 1,)).fetchone()[0] < least:
                done = middle + 1
            else:
                end = middle
        return self._behind(done)

    def _behind(self, done: int) -> Iterator[V]:
        while rows := self._database.execute(self._all, (done,)).fetchall():
            done += len(rows)
            for (data,) in rows:
                yield self._load(data)


class Relation:
    """Pairs of bytes. A set is a relation of what it holds with nothing."""

    def __init__(self, shelf: Shelf, table: str = "") -> None:
        """table: its name in a file."""
        self._shelf = shelf
        columns = "k BLOB NOT NULL, v BLOB NOT NULL, PRIMARY KEY (k, v)) WITHOUT ROWID"
        self._database, table = shelf.table(columns, table)
        self._add = f"INSERT OR IGNORE INTO {table} VALUES (?, ?)"
        self._has = f"SELECT 1 FROM {table} WHERE k = ? AND v = ?"
        self._other = f"SELECT 1 FROM {table} WHERE k = ? AND v <> ? LIMIT 1"
        self._count = f"SELECT count(*) FROM {table} WHERE k = ?"
        self._values = f"SELECT v FROM {table} WHERE k = ? ORDER BY v"
        self._next = f"SELECT k FROM {table} WHERE k > ? ORDER BY k LIMIT 1"
        self._all = f"SELECT count(*) FROM {table}"

    def add(self, key: bytes, value: bytes = b"") -> bool:
        """Whether the pair is new."""
        return self._database.execute(self._add, (key, value)).rowcount > 0

    def has(self, key: bytes, value: bytes = b"") -> bool:
        """Whether the pair was added."""
        return self._database.execute(self._has, (key, value)).fetchone() is not None

    def has_other(self, key: bytes, value: bytes) -> bool:
        """Whether the key stands in a pair with something else."""
        return self._database.execute(self._other, (key, value)).fetchone() is not None

    def count(self, key: bytes) -> int:
        """Pairs of this key."""
        return int(self._database.execute(self._count, (key,)).fetchone()[0])

    def values(self, key: bytes) -> list[bytes]:
        """What stands in pairs with the key, in its order."""
        return [row[0] for row in self._database.execute(self._values, (key,))]

    def each_key(self) -> Iterator[bytes]:
        """Each key that is not empty once, in their order."""
        row: tuple[bytes] | None = (b"",)
        while row is not None and (row := self._database.execute(self._next, row).fetchone()) is not None:
            yield row[0]

    def __len__(self) -> int:
        return int(self._database.execute(self._all).fetchone()[0])


def key(*parts: str | int) -> bytes:
    """A key of several parts, another for each list of them: every part says how long it is."""
    return b"".join(b"%d:%s" % (len(data := str(part).encode("utf-8", "surrogatepass")), data) for part in parts)
