"""What the topics say of one task, so far: the source of every number that the demonstration shows. Pure.

Records may be put in in any order across topics, since each topic is read on its own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from fluvial.edge.metrics.measure import GroupMetrics, Measured
from fluvial.registry.rounds import is_over
from fluvial.wire.records import (
    Decision,
    ModelManifest,
    ModelUpdate,
    Outcome,
    Receipt,
    Release,
    Round,
    RoundStatus,
    Verdict,
)

_K = TypeVar("_K")
_V = TypeVar("_V")

Place = tuple[int, int]
"""(partition, offset) of an envelope in topic updates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRow:
    """One round. accepted: updates that were in it, of which the rule left out `excluded`. rejected: by reason.

    late: accepted, but after the round had closed. metrics: of the model that the round made, none while unknown.
    """

    round: int
    attempt: int
    accepted: int
    excluded: int
    late: int
    rejected: dict[str, int]
    metrics: Mapping[str, float]


@dataclass(slots=True)
class Ledger:
    """Grows by `add`. updates_topic: full name; verdicts on other topics (enrolments) are not about updates."""

    task: str
    updates_topic: str
    rounds: dict[tuple[int, int], Round] = field(default_factory=dict)
    verdicts: dict[Place, Verdict] = field(default_factory=dict)
    receipts: dict[tuple[str, str], Receipt] = field(default_factory=dict)
    releases: dict[int, Release] = field(default_factory=dict)
    manifests: dict[int, ModelManifest] = field(default_factory=dict)
    sizes: dict[Place, int] = field(default_factory=dict)
    published_ms: dict[int, int] = field(default_factory=dict)
    finished: bool = False

    def add(self, record: Round | Verdict | Receipt | Release | ModelManifest, timestamp_ms: int) -> bool:
        """Take a record in. timestamp_ms: broker time. Says whether it was news about this task."""
        match record:
            case Verdict():
                return self._add_verdict(record)
            case _ if record.task != self.task:
                return False
            case Round() if is_over(record):
                self.finished = True
                return True
            case Round(status=RoundStatus.PAUSED):
                return False
            case Round():
                return _put(self.rounds, (record.round, record.attempt), record)
            case Receipt():
                return _put(self.receipts, (record.participant, record.update_id), record)
            case Release():
                if record.again:
                    self.releases.pop(record.version, None)
                return _put(self.releases, record.version, record)
            case ModelManifest():
                self.published_ms.setdefault(record.version, timestamp_ms)
                return _put(self.manifests, record.version, record)

    def add_update(self, place: Place, update: ModelUpdate | None) -> None:
        """An envelope was published. update: what it carries or refers to, a claim until its verdict says ACCEPT."""
        chunks = sum(chunk.length for chunk in update.chunks) if update else 0
        self.sizes[place] = chunks + len(update.inline or b"") if update else 0

    @property
    def last_version(self) -> int:
        """Newest published version; 0 for the initial model."""
        return max(self.manifests, default=0)

    @property
    def settled(self) -> bool:
        """Whether, after the last round, nothing is open: each version measured, each update judged and answered."""
        measured = self.manifests.keys() <= self.releases.keys()
        return self.finished and measured and self.sizes.keys() <= self.verdicts.keys() and not self.without_receipt()

    def without_receipt(self) -> list[Verdict]:
        """Accepted updates that nothing is known of yet."""
        return [
            verdict
            for verdict in self.verdicts.values()
            if verdict.decision is Decision.ACCEPT and (verdict.participant, verdict.update_id) not in self.receipts
        ]

    def accepted_in(self, round_: int) -> int:
        """Updates of a round that validation accepted so far, late ones among them."""
        return sum(v.decision is Decision.ACCEPT and v.round == round_ for v in self.verdicts.values())

    def metrics(self, version: int) -> Mapping[str, float]:
        """Measurements of a version; none while there are none."""
        return Measured.told_by(self.releases.get(version)).metrics

    def groups(self, version: int) -> tuple[GroupMetrics, ...]:
        """Measurements of a version by group; none while there are none."""
        return Measured.told_by(self.releases.get(version)).groups

    def verdicts_on(self, places: Iterable[Place]) -> list[Verdict]:
        """What became of these envelopes, as far as it is known."""
        return [self.verdicts[place] for place in places if place in self.verdicts]

    def receipts_of(self, participant: str) -> list[Receipt]:
        """A participant's receipts, by round."""
        found = [receipt for receipt in self.receipts.values() if receipt.participant == participant]
        return sorted(found, key=lambda receipt: (receipt.round, receipt.attempt))

    def rows(self) -> list[RoundRow]:
        """A row for each round that was opened, in order."""
        return [self._row(number) for number in sorted({number for number, _ in self.rounds})]

    def accepted_bytes(self) -> int:
        """Bytes of tensors in the updates that validation accepted."""
        return sum(
            self.sizes.get(place, 0) for place, verdict in self.verdicts.items() if verdict.decision is Decision.ACCEPT
        )

    def rounds_seconds(self) -> float:
        """From the first round's opening to the last model, by the federation's own records; 0 while there is none."""
        if not self.rounds or self.last_version == 0:
            return 0.0
        return max(0.0, (self.published_ms[self.last_version] - self.rounds[min(self.rounds)].opened_ms) / 1000)

    def _add_verdict(self, verdict: Verdict) -> bool:
        if verdict.source_topic != self.updates_topic:
            return False
        return _put(self.verdicts, (verdict.source_partition, verdict.source_offset), verdict)

    def _row(self, number: int) -> RoundRow:
        version = next((m.version for m in self.manifests.values() if m.round == number and m.version > 0), -1)
        manifest = self.manifests.get(version)
        late = sum(r.outcome is Outcome.LATE and r.round == number for r in self.receipts.values())
        return RoundRow(
            round=number,
            attempt=max(attempt for round_, attempt in self.rounds if round_ == number),
            accepted=len(manifest.contributions) if manifest else max(0, self.accepted_in(number) - late),
            excluded=sum(not c.selected for c in manifest.contributions) if manifest else 0,
            late=late,
            rejected=self._rejected_while_open(number),
            metrics=self.metrics(version),
        )

    def _rejected_while_open(self, number: int) -> dict[str, int]:
        """Refused envelopes by the round that was open when they came: an unverified one does not say its own."""
        opened = sorted((record.opened_ms, round_) for (round_, attempt), record in self.rounds.items() if attempt == 1)
        reasons: Counter[str] = Counter()
        for verdict in self.verdicts.values():
            if verdict.decision is Decision.ACCEPT:
                continue
            index = bisect_right(opened, (verdict.source_timestamp_ms, 1 << 62)) - 1
            if opened and opened[max(0, index)][1] == number:
                reasons[verdict.reason.value] += 1
        return dict(sorted(reasons.items()))


def _put(known: dict[_K, _V], key: _K, value: _V) -> bool:
    if key in known:
        return False
    known[key] = value
    return True
