"""Whether a history of a federation keeps the invariants: a fold over what happened, in any order of the topics.

| | invariant |
|---|---|
| I1 | every input has exactly one verdict |
| I2 | every accepted update is in exactly one aggregate, or excluded once and explicitly |
| I3 | an aggregate is what its rule makes of the accepted updates, bit for bit: `fluvial model replay` computes it |
| I4 | the audit log is one gap-free chain, and whatever happened has its leaf once |
| I5 | every signed checkpoint is one of this log, and none is of fewer leaves than the one before it |
| I6 | no aggregate holds what was not signed by a key in force, for a round that asked for it |
| I7 | what is released keeps within the privacy budget: there is none yet, so nothing to keep |
| I8 | what was refused changes nothing: it is in no aggregate, has no receipt and enrols nobody |

`fluvial audit verify` asks whether the log proves what it says, whoever wrote junk beside it. This asks more, of a
system whose topics are written by its stages alone: a verdict that stands twice in its topic proves nothing wrong, but
a stage wrote it twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fluvial.admission.over_rate import verdicts_of
from fluvial.auditor.log import Source
from fluvial.auditor.shelf import Shelf, key
from fluvial.auditor.verdicts import describe
from fluvial.transparency.event import Recorded
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import (
    Decision,
    ModelManifest,
    Outcome,
    OverRate,
    Participant,
    ParticipantStatus,
    Receipt,
    RoundEvent,
    RoundTransition,
    Verdict,
)

CHECKED = ("I1", "I2", "I4", "I5", "I6", "I8")
"""The invariants that a fold can hold a history to."""


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


class History:
    """Tell it everything, then ask for `violations`. enrolments_topic, reports_topic: full names. is_running: whether
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

    def violations(self) -> list[Violation]:
        """All that was found, by invariant."""
        return sorted({*self._found, *self._of_verdicts(), *self._of_updates(), *self._of_refusals()})

    def _add(self, invariant: str, where: str, message: str) -> None:
        self._found.append(Violation(invariant, where, message))

    def _one(self, statement: str, parameters: tuple[Any, ...] = ()) -> Any:
        row = self._database.execute(statement, parameters).fetchone()
        return None if row is None else row[0]

    def _each(self, statement: str, *parameters: Any) -> Iterator[tuple[Any, ...]]:
        return iter(self._database.execute(statement, parameters))

    @property
    def _is_update(self) -> str:
        """Of a row of the sources: whether it is one of a topic of updates; with two parameters."""
        return "topic NOT IN (?, ?)"

    @property
    def _others(self) -> tuple[str, str]:
        return self._enrolments_topic, self._reports_topic

    def _of_verdicts(self) -> Iterator[Violation]:
        """I1 and I4."""
        last: dict[tuple[str, int], int] = {}
        newest = f"SELECT topic, part, max(place) FROM {self._sources} WHERE verdict NOT NULL GROUP BY topic, part"
        for topic, partition, offset in self._each(newest):
            last[topic, partition] = offset
        unjudged = f"SELECT topic, part, place FROM {self._sources} WHERE published AND verdict IS NULL"
        for source in self._each(unjudged):
            if not (self._is_running and source[2] > last.get(source[:2], -1)):
                yield Violation("I1", describe(source), "has no verdict")
        # Written after the last one with a leaf: that one's leaf may be under way.
        with_leaf = self._one(f"SELECT max(since) FROM {self._sources} WHERE leaves") or 0
        odd = (
            f"SELECT topic, part, place, published, written, leaves, since FROM {self._sources} "
            "WHERE verdict NOT NULL AND NOT (published AND written = 1 AND leaves = 1)"
        )
        for topic, partition, offset, published, written, leaves, since in self._each(odd):
            where = describe((topic, partition, offset))
            if not published:
                yield Violation("I1", where, "has a verdict, but was never published")
            if written > 1:
                yield Violation("I1", where, f"has {written} verdicts in their topic")
            if leaves != 1 and not (self._is_running and since is not None and since > with_leaf):
                yield Violation("I4", where, f"its verdict has {leaves} leaves")

    def _of_updates(self) -> Iterator[Violation]:
        """I2 and I6."""
        topic = self._one(
            f"SELECT topic FROM {self._sources} WHERE verdict NOT NULL AND {self._is_update} LIMIT 1", self._others
        )
        of_part = f"SELECT digest FROM {self._sources} WHERE topic = ? AND part = p.part AND place = p.place"
        unjudged = f"SELECT part, place, version FROM {self._parts} p WHERE ({of_part}) IS NOT digest"
        for partition, offset, version in self._each(unjudged, topic or ""):
            where = describe((topic or "", partition, offset))
            yield Violation("I6", where, f"is in version {version} unjudged")
        for source, why in self._refuted.items():
            if source[0] == topic and self._parts_of(source[1], source[2]):
                yield Violation("I6", describe(source), why)
        made = ", ".join(f"'{outcome.value}'" for outcome in (Outcome.INCLUDED, Outcome.EXCLUDED))
        odd = (
            f"SELECT topic, part, place, verdict, of FROM {self._sources} s WHERE accepted AND {self._is_update} "
            f"AND NOT ((SELECT count(*) FROM {self._receipts} r WHERE r.of = s.of) = 1 AND "
            f"(SELECT outcome IN ({made}) FROM {self._receipts} r WHERE r.of = s.of) = "
            f"(SELECT count(*) FROM {self._parts} p WHERE p.part = s.part AND p.place = s.place))"
        )
        for name, partition, offset, data, update in self._each(odd, *self._others):
            outcomes = self._database.execute(
                f"SELECT outcome FROM {self._receipts} WHERE of = ?", (update,)
            ).fetchall()
            receipts = [Outcome(row[0]) for row in outcomes]
            verdict, parts = decode(data, Verdict), self._parts_of(partition, offset)
            why = self._why_not_once(verdict, receipts, parts, verdict.task in self._asynchronous)
            if why:
                yield Violation("I2", describe((name, partition, offset)), why)

    def _parts_of(self, partition: int, offset: int) -> list[tuple[str, int]]:
        statement = f"SELECT task, version FROM {self._parts} WHERE part = ? AND place = ?"
        return self._database.execute(statement, (partition, offset)).fetchall()

    def _why_not_once(
        self, verdict: Verdict, receipts: list[Outcome], parts: list[tuple[str, int]], is_asynchronous: bool
    ) -> str:
        if len(parts) > 1:
            return f"is in versions {', '.join(str(version) for _, version in parts)}"
        if len(receipts) > 1:
            return f"has {len(receipts)} receipts: {', '.join(map(str, receipts))}"
        if not receipts:
            if parts:
                return f"is in version {parts[0][1]}, but has no receipt"
            # What an asynchronous window has not taken yet may wait for a later round.
            return "" if is_asynchronous or not self._is_over(verdict) else "its round is over, but it has no receipt"
        made = receipts[0] in (Outcome.INCLUDED, Outcome.EXCLUDED)
        if made != bool(parts):
            return f"has the receipt {receipts[0]}, but is in {len(parts)} aggregates"
        return ""

    def _is_over(self, verdict: Verdict) -> bool:
        """Whether a later round was opened, and the one after it too: by then a late update has its answer."""
        later = [place for place in self._opened.get(verdict.task, ()) if place > (verdict.round, verdict.attempt)]
        return len(later) > 1

    def _of_refusals(self) -> Iterator[Violation]:
        """I8."""
        unaccepted = (
            f"SELECT DISTINCT name FROM {self._receipts} r WHERE NOT EXISTS "
            f"(SELECT 1 FROM {self._sources} s WHERE s.of = r.of AND s.accepted)"
        )
        for (name,) in self._each(unaccepted):
            yield Violation("I8", name, "has a receipt, but was not accepted")
        refused = (
            f"SELECT topic, s.part, s.place, verdict, version FROM {self._parts} p JOIN {self._sources} s "
            f"ON s.part = p.part AND s.place = p.place WHERE NOT accepted AND {self._is_update}"
        )
        for topic, partition, offset, data, version in self._each(refused, *self._others):
            message = f"was refused as {decode(data, Verdict).reason}, but is in version {version}"
            yield Violation("I8", describe((topic, partition, offset)), message)
        requests = f"SELECT topic, part, place, verdict, digest FROM {self._sources} s WHERE topic = ? AND NOT accepted"
        for topic, partition, offset, data, digest in self._each(requests, self._enrolments_topic):
            verdict = decode(data, Verdict)
            if digest not in self._requests or verdict.decision is Decision.DUPLICATE:
                continue
            if not self._one(f"SELECT 1 FROM {self._sources} WHERE digest = ? AND accepted LIMIT 1", (digest,)):
                where = describe((topic, partition, offset))
                yield Violation("I8", where, f"was refused as {verdict.reason}, but enrols")
