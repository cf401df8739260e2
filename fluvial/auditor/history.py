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

from collections import Counter
from dataclasses import dataclass, field

from fluvial.admission.over_rate import verdicts_of
from fluvial.auditor.log import Source
from fluvial.auditor.verdicts import describe
from fluvial.transparency.event import Recorded
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

_Update = tuple[str, str, int, int, str]
"""Participant, task, round, attempt and id of an update."""


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """One invariant that a history breaks."""

    invariant: str
    where: str
    message: str


@dataclass(slots=True)
class History:
    """Tell it everything, then ask for `violations`. enrolments_topic, reports_topic: full names. is_running: whether
    what is newest may still be under way: an input behind the last judged one of its partition, a verdict written after
    the last one that has a leaf. Memory: some 100 bytes a record."""

    enrolments_topic: str
    is_running: bool = False
    reports_topic: str = ""
    inputs: set[Source] = field(default_factory=set)
    verdicts: dict[Source, Verdict] = field(default_factory=dict)
    receipts: dict[_Update, list[Receipt]] = field(default_factory=dict)
    manifests: list[ModelManifest] = field(default_factory=list)
    requests: set[bytes] = field(default_factory=set)
    _found: list[Violation] = field(default_factory=list)
    _written: Counter[Source] = field(default_factory=Counter)
    _leaves: Counter[Source] = field(default_factory=Counter)
    _opened: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    _refuted: dict[Source, str] = field(default_factory=dict)
    _newest_size: int = 0

    def input(self, source: Source) -> None:
        """A record that somebody published to a topic whose records are judged."""
        self.inputs.add(source)

    def refuted(self, source: Source, why: str) -> None:
        """An accepted update that the log itself refutes."""
        self._refuted[source] = why

    def written_verdict(self, verdict: Verdict | OverRate) -> None:
        """A record of topic verdicts, in the topic's order. Raises Malformed for an `OverRate` that no gate writes."""
        if isinstance(verdict, OverRate):
            for each in verdicts_of(verdict):
                self.written_verdict(each)
            return
        source = (verdict.source_topic, verdict.source_partition, verdict.source_offset)
        self._written[source] += 1
        known = self.verdicts.setdefault(source, verdict)
        if known != verdict:
            self._add("I1", describe(source), f"has the verdicts {known.reason} and {verdict.reason}")

    def leaf(self, record: Recorded) -> None:
        """What a leaf of the log tells, in the log's order."""
        match record:
            case Verdict():
                source = (record.source_topic, record.source_partition, record.source_offset)
                self._leaves[source] += 1
                known = self.verdicts.setdefault(source, record)
                if known != record:
                    self._add("I1", describe(source), f"has the verdicts {known.reason} and {record.reason}")
            case OverRate():
                for each in verdicts_of(record):
                    self.leaf(each)
            case Receipt():
                update = record.participant, record.task, record.round, record.attempt, record.update_id
                self.receipts.setdefault(update, []).append(record)
            case RoundEvent(transition=RoundTransition.OPENED):
                self._opened.setdefault(record.task, []).append((record.round, record.attempt))
            case Participant(status=ParticipantStatus.ACTIVE):
                self.requests.add(record.request_sha256)
            case _:
                pass

    def broken_chain(self, where: str, why: str) -> None:
        """A record of topic audit that is no leaf although leaves are missing, or a leaf that is not what it tells."""
        self._add("I4", where, why)

    def manifest(self, manifest: ModelManifest) -> None:
        """A published model."""
        self.manifests.append(manifest)

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

    def _is_update(self, source: Source) -> bool:
        return source[0] not in (self.enrolments_topic, self.reports_topic)

    def _of_verdicts(self) -> list[Violation]:
        last: dict[tuple[str, int], int] = {}
        for topic, partition, offset in self.verdicts:
            last[topic, partition] = max(last.get((topic, partition), -1), offset)
        found = [
            Violation("I1", describe(source), "has no verdict")
            for source in self.inputs
            if source not in self.verdicts and not (self.is_running and source[2] > last.get(source[:2], -1))
        ]
        under_way = self._without_leaf_yet() if self.is_running else set()
        for source in self.verdicts:
            if source not in self.inputs:
                found.append(Violation("I1", describe(source), "has a verdict, but was never published"))
            if self._written[source] > 1:
                found.append(Violation("I1", describe(source), f"has {self._written[source]} verdicts in their topic"))
            if self._leaves[source] != 1 and source not in under_way:
                found.append(Violation("I4", describe(source), f"its verdict has {self._leaves[source]} leaves"))
        return found

    def _without_leaf_yet(self) -> set[Source]:
        """Sources of the verdicts that were written after the last one with a leaf."""
        under_way: set[Source] = set()
        for source in reversed(list(self._written)):
            if self._leaves[source]:
                break
            under_way.add(source)
        return under_way

    def _of_updates(self) -> list[Violation]:
        """I2 and I6."""
        found: list[Violation] = []
        aggregates: dict[Source, list[tuple[str, int]]] = {}
        topic = next((source[0] for source in self.verdicts if self._is_update(source)), "")
        asynchronous = {manifest.task for manifest in self.manifests if manifest.staleness}
        for manifest in self.manifests:
            for part in manifest.contributions:
                source = (topic, part.source_partition, part.source_offset)
                aggregates.setdefault(source, []).append((manifest.task, manifest.version))
                verdict = self.verdicts.get(source)
                if verdict is None or verdict.record_sha256 != part.record_sha256:
                    found.append(Violation("I6", describe(source), f"is in version {manifest.version} unjudged"))
                elif source in self._refuted:
                    found.append(Violation("I6", describe(source), self._refuted[source]))
        for source, verdict in self.verdicts.items():
            if verdict.decision is not Decision.ACCEPT or not self._is_update(source):
                continue
            update = verdict.participant, verdict.task, verdict.round, verdict.attempt, verdict.update_id
            receipts, parts = self.receipts.get(update, []), aggregates.get(source, [])
            why = self._why_not_once(verdict, receipts, parts, verdict.task in asynchronous)
            if why:
                found.append(Violation("I2", describe(source), why))
        return found

    def _why_not_once(
        self, verdict: Verdict, receipts: list[Receipt], parts: list[tuple[str, int]], is_asynchronous: bool
    ) -> str:
        if len(parts) > 1:
            return f"is in versions {', '.join(str(version) for _, version in parts)}"
        if len(receipts) > 1:
            return f"has {len(receipts)} receipts: {', '.join(str(receipt.outcome) for receipt in receipts)}"
        if not receipts:
            if parts:
                return f"is in version {parts[0][1]}, but has no receipt"
            # What an asynchronous window has not taken yet may wait for a later round.
            return "" if is_asynchronous or not self._is_over(verdict) else "its round is over, but it has no receipt"
        made = receipts[0].outcome in (Outcome.INCLUDED, Outcome.EXCLUDED)
        if made != bool(parts):
            return f"has the receipt {receipts[0].outcome}, but is in {len(parts)} aggregates"
        return ""

    def _is_over(self, verdict: Verdict) -> bool:
        """Whether a later round was opened, and the one after it too: by then a late update has its answer."""
        later = [place for place in self._opened.get(verdict.task, ()) if place > (verdict.round, verdict.attempt)]
        return len(later) > 1

    def _of_refusals(self) -> list[Violation]:
        """I8."""
        refused = {source: v for source, v in self.verdicts.items() if v.decision is not Decision.ACCEPT}
        accepted = {
            (v.participant, v.task, v.round, v.attempt, v.update_id)
            for v in self.verdicts.values()
            if v.decision is Decision.ACCEPT
        }
        digests = {v.record_sha256 for v in self.verdicts.values() if v.decision is Decision.ACCEPT}
        found = [
            Violation("I8", f"{update[4]} by {update[0]}", "has a receipt, but was not accepted")
            for update in self.receipts
            if update not in accepted
        ]
        places = {(source[1], source[2]): source for source in refused if self._is_update(source)}
        for manifest in self.manifests:
            for part in manifest.contributions:
                source = places.get((part.source_partition, part.source_offset))
                if source is not None:
                    message = f"was refused as {refused[source].reason}, but is in version {manifest.version}"
                    found.append(Violation("I8", describe(source), message))
        for source, verdict in refused.items():
            enrols = source[0] == self.enrolments_topic and verdict.record_sha256 in self.requests - digests
            if enrols and verdict.decision is not Decision.DUPLICATE:
                found.append(Violation("I8", describe(source), f"was refused as {verdict.reason}, but enrols"))
        return found
