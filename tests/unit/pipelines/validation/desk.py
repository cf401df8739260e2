"""A lane with a gate, evidence and state that a test decides on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from fluvial.admission.judgement import Place
from fluvial.wire.records import Reason, Verdict
from governance.admission import gate
from pipelines.flink.frames import SourceRecord
from pipelines.validation.contests import Contest, Room, contest_of
from pipelines.validation.record_life import Concluded, Lane
from pipelines.validation.waiting import Waiting
from tests.unit.governance.admission.builders import a_source, a_world, an_update, judge, sealed

PARKING_MS = 3_000


def a_record(offset: int, *, key: bytes = b"alice", value: bytes = b"", partition: int = 1) -> SourceRecord:
    return SourceRecord(partition, offset, 5_000, key, value or b"%b %d" % (key, offset))


def a_verdict(reason: Reason) -> Verdict:
    judgement = judge(b"", a_world())
    assert isinstance(judgement, gate.Refused)
    return replace(judgement.verdict, reason=reason)


def needs_of(record: SourceRecord, *, round_: int = 3, num_chunks: int = 3) -> gate.NeedsEvidence:
    good = judge(sealed(an_update()), a_world())
    assert isinstance(good, gate.NeedsEvidence)
    update = replace(
        good.update,
        participant=(record.key or b"").decode(),
        round=round_,
        chunks=good.update.chunks[:num_chunks],
    )
    source = a_source(partition=record.partition, offset=record.offset, key=record.key)
    return replace(good, update=update, source=source)


class TestedEvidence:
    """Evidence that is ready when the test says so. finding: of each place, in favour where nothing is said."""

    __test__ = False

    def __init__(self) -> None:
        self.under_way: set[Place] = set()
        self.known: set[Place] = set()
        self.findings: dict[Place, gate.Finding] = {}
        self.in_hand: set[Place] = set()
        self.submitted: list[Place] = []

    def at_once(self, needs: gate.NeedsEvidence) -> gate.Finding | None:
        place = needs.source.place
        return self.findings.get(place, gate.Finding()) if place in self.in_hand else None

    def submit(self, needs: gate.NeedsEvidence) -> None:
        assert needs.source.place not in self.under_way
        self.under_way.add(needs.source.place)
        self.submitted.append(needs.source.place)

    def ready(self, place: Place) -> bool:
        assert place in self.under_way
        return place in self.known

    def settle(self, place: Place) -> gate.Finding:
        assert place in self.known
        self.under_way.remove(place)
        return self.findings.get(place, gate.Finding())

    def withdraw(self, place: Place) -> None:
        self.under_way.discard(place)

    def hand(self, *records: SourceRecord, fault: Reason | None = None) -> None:
        """What there is to know of these records need not be gathered."""
        self.find(*records, fault=fault)
        self.in_hand |= {("fluvial.updates", record.partition, record.offset) for record in records}

    def find(self, *records: SourceRecord, fault: Reason | None = None) -> None:
        """What there is to know of these records is known now."""
        for record in records:
            place = ("fluvial.updates", record.partition, record.offset)
            self.known.add(place)
            self.findings[place] = gate.Finding(fault=fault)


class TestedDesk:
    """judgements: of each record's value; of those that are not named there, that they need evidence. After one of a
    contest is accepted, the others are duplicates."""

    __test__ = False

    def __init__(self, num_kinds: int = 1, room: int = 1_000) -> None:
        self.evidence = [TestedEvidence() for _ in range(num_kinds)]
        self.judgements: dict[bytes, Any] = {}
        self.num_judged = 0
        self.known = 0
        self.heard_ms = 1 << 62
        self.kept: dict[str, bytes] = {}
        self.outcomes: list[tuple[int, str]] = []
        self.accepted: set[Contest] = set()
        self.lane = Lane(self, self.evidence, Room(room), lambda now_ms: now_ms + PARKING_MS)

    def judge(self, records: Sequence[SourceRecord]) -> Iterator[Any]:
        for record in records:
            self.num_judged += 1
            judgement = self.judgements.get(record.value) or needs_of(record)
            if isinstance(judgement, gate.NeedsEvidence) and contest_of(judgement) in self.accepted:
                judgement = gate.Refused(verdict=a_verdict(Reason.DUPLICATE_IGNORED))
            yield judgement

    def conclude(self, needs: gate.NeedsEvidence, findings: Sequence[gate.Finding]) -> Concluded:
        reason = next((finding.fault for finding in findings if finding.fault), Reason.ACCEPTED)
        if reason is Reason.ACCEPTED:
            self.accepted.add(contest_of(needs))
        return Concluded(a_verdict(reason), None)

    def settled(self, record: SourceRecord, outcome: Any) -> None:
        self.outcomes.append((record.offset, outcome.verdict.reason.value))

    def keep(self, waiting: Waiting) -> None:
        assert waiting.key not in self.kept
        self.kept[waiting.key] = waiting.dump()

    def drop(self, waiting: Waiting) -> None:
        del self.kept[waiting.key]

    def knowledge(self) -> int:
        return self.known

    def has_heard(self, at_ms: int) -> bool:
        return self.heard_ms > at_ms


def parked(reason: Reason = Reason.ROUND_UNKNOWN) -> gate.Parked:
    return gate.Parked(verdict=a_verdict(reason))
