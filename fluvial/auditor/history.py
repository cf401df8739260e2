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

from fluvial.auditor.happened import Happened, Violation
from fluvial.auditor.reader import describe
from fluvial.wire.framing import decode
from fluvial.wire.records import Decision, Outcome, Verdict

CHECKED = ("I1", "I2", "I4", "I5", "I6", "I8")
"""The invariants that a fold can hold a history to."""


class History(Happened):
    """Tell it everything, then ask for `violations`."""

    def violations(self) -> list[Violation]:
        """All that was found, by invariant."""
        return sorted({*self._found, *self._of_verdicts(), *self._of_updates(), *self._of_refusals()})

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
