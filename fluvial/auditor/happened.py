"""What happened in a federation, told record by record in any order of the topics, and kept on the shelf.

`history.py` asks it whether the invariants hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fluvial.admission.over_rate import verdicts_of
from fluvial.auditor.leaves import Source
from fluvial.auditor.reader import describe
from fluvial.auditor.shelf import Shelf, key
from fluvial.transparency.event import Recorded
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import (
    Decision,
    ModelManifest,
    OverRate,
    Participant,
    ParticipantStatus,
    Receipt,
    RoundEvent,
    RoundTransition,
    Verdict,
)


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """One invariant that a history breaks."""

    invariant: str
    where: str
    message: str


_SOURCES = """
topic TEXT NOT NULL, part INTEGER NOT NULL, place INTEGER NOT NULL, published INTEGER NOT NULL DEFAULT 0,
written INTEGER NOT NULL DEFAULT 0, since INTEGER, leaves INTEGER NOT NULL DEFAULT 0, verdict BLOB, accepted INTEGER,
digest BLOB, of BLOB, PRIMARY KEY (topic, part, place)) WITHOUT ROWID"""
"""What is known of a record that was judged, or should be. since: the verdicts that had been written before its first.
verdict: the first that was met, accepted: whether it says so, digest: of the record, of: the update that it names."""


class Happened:
    """Tell it everything. enrolments_topic, reports_topic: full names. is_running: whether
    what is newest may still be under way: an input behind the last judged one of its partition, a verdict written after
    the last one that has a leaf. shelf: where it keeps what grows with the records; in memory are rounds, and requests
    that enrolled somebody. Raises OSError where the temporary folder is full."""

    def __init__(
        self,
        enrolments_topic: str,
        is_running: bool = False,
        reports_topic: str = "",
        shelf: Shelf | None = None,
    ) -> None:
        self._enrolments_topic, self._is_running, self._reports_topic = enrolments_topic, is_running, reports_topic
        self._shelf = shelf or Shelf()
        self._database, self._sources = self._shelf.table(_SOURCES)
        _, self._receipts = self._shelf.table("of BLOB NOT NULL, outcome TEXT NOT NULL, name TEXT NOT NULL)")
        _, self._parts = self._shelf.table(
            "part INTEGER NOT NULL, place INTEGER NOT NULL, digest BLOB NOT NULL, task TEXT NOT NULL, version INTEGER)"
        )
        for table, columns in ((self._receipts, "of"), (self._parts, "part, place"), (self._sources, "of")):
            self._database.execute(f"CREATE INDEX {table}_by ON {table} ({columns})")
        self._requests: set[bytes] = set()
        self._asynchronous: set[str] = set()
        self._found: list[Violation] = []
        self._opened: dict[str, list[tuple[int, int]]] = {}
        self._refuted: dict[Source, str] = {}
        self._newest_size = self._num_written = 0

    @property
    def num_inputs(self) -> int:
        """Records that were published."""
        return int(self._one(f"SELECT count(*) FROM {self._sources} WHERE published"))

    def input(self, source: Source) -> None:
        """A record that somebody published to a topic whose records are judged."""
        self._database.execute(
            f"INSERT INTO {self._sources} (topic, part, place, published) VALUES (?, ?, ?, 1) "
            "ON CONFLICT DO UPDATE SET published = 1",
            source,
        )

    def expired(self, topic: str, partition: int, first: int) -> None:
        """Retention took what lay before this offset: what is judged there was published."""
        self._database.execute(
            f"UPDATE {self._sources} SET published = 1 WHERE topic = ? AND part = ? AND place < ? AND verdict NOT NULL",
            (topic, partition, first),
        )

    def refuted(self, source: Source, why: str) -> None:
        """An accepted update that the log itself refutes."""
        self._refuted[source] = why

    def written_verdict(self, verdict: Verdict | OverRate) -> None:
        """A record of topic verdicts, in the topic's order. Raises Malformed for an `OverRate` that no gate writes."""
        for each in verdicts_of(verdict) if isinstance(verdict, OverRate) else (verdict,):
            self._num_written += 1
            self._take(each, "written", self._num_written)

    def leaf(self, record: Recorded) -> None:
        """What a leaf of the log tells, in the log's order."""
        match record:
            case Verdict():
                self._take(record, "leaves", None)
            case OverRate():
                for each in verdicts_of(record):
                    self._take(each, "leaves", None)
            case Receipt():
                update = record.participant, record.task, record.round, record.attempt, record.update_id
                self._database.execute(
                    f"INSERT INTO {self._receipts} VALUES (?, ?, ?)",
                    (key(*update), record.outcome.value, f"{record.update_id} by {record.participant}"),
                )
            case RoundEvent(transition=RoundTransition.OPENED):
                self._opened.setdefault(record.task, []).append((record.round, record.attempt))
            case Participant(status=ParticipantStatus.ACTIVE):
                self._requests.add(record.request_sha256)
            case _:
                pass

    def _take(self, verdict: Verdict, column: str, since: int | None) -> None:
        source = verdict.source_topic, verdict.source_partition, verdict.source_offset
        is_accepted = verdict.decision is Decision.ACCEPT
        update = key(verdict.participant, verdict.task, verdict.round, verdict.attempt, verdict.update_id)
        data = encode(verdict)
        known = self._one(
            f"INSERT INTO {self._sources} (topic, part, place, {column}, since, verdict, accepted, digest, of) "
            f"VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET {column} = {column} + 1, "
            "since = coalesce(since, excluded.since), accepted = coalesce(accepted, excluded.accepted), "
            "digest = coalesce(digest, excluded.digest), of = coalesce(of, excluded.of), "
            "verdict = coalesce(verdict, excluded.verdict) RETURNING verdict",
            (*source, since, data, is_accepted, verdict.record_sha256, update),
        )
        if known != data:
            reasons = f"{decode(known, Verdict).reason} and {verdict.reason}"
            self._add("I1", describe(source), f"has the verdicts {reasons}")

    def broken_chain(self, where: str, why: str) -> None:
        """A record of topic audit that is no leaf although leaves are missing, or a leaf that is not what it tells."""
        self._add("I4", where, why)

    def manifest(self, manifest: ModelManifest) -> None:
        """A published model."""
        if manifest.staleness:
            self._asynchronous.add(manifest.task)
        for part in manifest.contributions:
            self._database.execute(
                f"INSERT INTO {self._parts} VALUES (?, ?, ?, ?, ?)",
                (part.source_partition, part.source_offset, part.record_sha256, manifest.task, manifest.version),
            )

    def checkpoint(self, size: int, is_of_this_log: bool) -> None:
        """A checkpoint that the log's key signed, in the order of their topic."""
        if not is_of_this_log:
            self._add("I5", f"checkpoint of {size} leaves", "its root is not that of the leaves")
        elif size < self._newest_size:
            self._add("I5", f"checkpoint of {size} leaves", f"was signed after one of {self._newest_size}")
        self._newest_size = max(self._newest_size, size)

    def _add(self, invariant: str, where: str, message: str) -> None:
        self._found.append(Violation(invariant, where, message))

    def _one(self, statement: str, parameters: tuple[Any, ...] = ()) -> Any:
        row = self._database.execute(statement, parameters).fetchone()
        return None if row is None else row[0]

    def _each(self, statement: str, *parameters: Any) -> Iterator[tuple[Any, ...]]:
        return iter(self._database.execute(statement, parameters))
