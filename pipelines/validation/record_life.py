"""The life of a record between its arrival and its verdict. Pure: the time, the gate and the evidence are handed in.

A record that cannot be judged at once waits, in one of three states:

| state | the record waits for | it is looked at |
|---|---|---|
| UNHEARD | what travels on another topic: round, participant, token | ever more rarely, if registry or rounds changed |
| CHECKED | its evidence, one kind after the other | every `LOOK_MS` |
| QUEUED | the one of its contest that is CHECKED, or room for it | when that one has its verdict |

| state | event | what follows |
|---|---|---|
| NEW, UNHEARD, QUEUED | the gate decides | verdict |
| NEW, UNHEARD, QUEUED | the gate parks it | UNHEARD; verdict where too many wait, or its time is over and all heard |
| NEW, UNHEARD, QUEUED | the gate wants evidence, nobody of its contest is CHECKED | CHECKED |
| NEW, UNHEARD, QUEUED | the gate wants evidence, else | QUEUED |
| CHECKED | all evidence is in its favour, or one kind is not | verdict; then the turn of those QUEUED behind it |
| CHECKED | the evidence is there, but by now the gate decides or parks it | verdict or UNHEARD; the same turn |
| any | restart | UNHEARD, looked at before anything new is judged |

Records of one Kafka key are judged in the order in which they came. Nothing is read or computed while an operator
waits. What waits is bounded: UNHEARD and CHECKED by their rooms, QUEUED because all of a queue have their verdicts as
soon as one of the contest is accepted, or a few have failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fluvial.admission.judgement import NeedsEvidence, Parked, Refused
from fluvial.wire.quick_init import quick_init
from fluvial.wire.records import AcceptedUpdate, Verdict
from governance.admission.evidence import Evidence, Finding
from pipelines.flink.frames import SourceRecord
from pipelines.validation.contests import Contests, Room, contest_of
from pipelines.validation.unheard import RETRY_MS, Unheard
from pipelines.validation.waiting import State, Waiting

LOOK_MS = 10
"""Pause between two looks at records under check."""

_AT_ONCE = 512
"""Queued records that are judged in one look: others of the subtask have their turn in between."""

_IN_ONE_TURN = 32


@quick_init
@dataclass(frozen=True, slots=True)
class Concluded:
    """All that the verdict waited for is known."""

    verdict: Verdict
    accepted: AcceptedUpdate | None


class Desk(Protocol):
    """What surrounds the records of a lane: the operator."""

    def judge(self, records: Sequence[SourceRecord]) -> Iterator[Any]:
        """The judgement of each, made when it is asked for: Parked, NeedsEvidence, or an outcome."""

    def conclude(self, needs: NeedsEvidence, findings: Sequence[Finding]) -> Concluded:
        """The outcome of a record whose evidence is complete."""

    def settled(self, record: SourceRecord, outcome: Any) -> None:
        """The record has its outcome, which is to be remembered before anything else is judged."""

    def keep(self, waiting: Waiting) -> None:
        """The record waits: it must outlive this process."""

    def drop(self, waiting: Waiting) -> None:
        """The record was kept, and waits no more."""

    def knowledge(self) -> int:
        """A number that changes when registry or rounds do."""

    def has_heard(self, at_ms: int) -> bool:
        """Whether all that registry and rounds held at this time is known."""


class Lane:
    """The records of one lane. refuse_at_ms: until when a record that arrives now may wait for what it lacks."""

    def __init__(
        self, desk: Desk, evidence: Sequence[Evidence], room: Room, refuse_at_ms: Callable[[int], int]
    ) -> None:
        self._desk = desk
        self._refuse_at_ms = refuse_at_ms
        self._unheard = Unheard()
        self._contests = Contests(evidence, room)
        self._num_arrived = 0
        self._is_restored = False

    def restore(self, waiting: Iterable[Waiting]) -> None:
        """Records that waited before a restart, as `Waiting.load` gives them."""
        for one in sorted(waiting, key=lambda one: (one.since_ms, one.record.partition, one.record.offset)):
            one.order = self._next_order()
            self._unheard.add(one, None, 0)
            self._is_restored = True

    def arrive(self, records: Sequence[SourceRecord], now_ms: int) -> None:
        """New records, in the order of their log."""
        if self._is_restored:
            self._look_at_unheard(now_ms)
        refuse_at_ms, at_first = self._refuse_at_ms(now_ms), self._desk.knowledge()
        for record, judgement in zip(records, self._desk.judge(records), strict=True):
            knowledge = at_first
            before = [] if self._unheard.is_empty else self._unheard.outdated(record.key, self._desk.knowledge())
            if before:
                self._judge_again(before, now_ms)
                knowledge = self._desk.knowledge()
                (judgement,) = self._desk.judge([record])
            outcome = self._outcome(judgement)
            if outcome is not None:
                self._desk.settled(record, outcome)
                continue
            waiting = Waiting(
                record=record,
                since_ms=now_ms,
                refuse_at_ms=refuse_at_ms,
                order=self._next_order(),
                knowledge=knowledge,
            )
            self._wait(waiting, judgement, now_ms)
        self._take_turns(now_ms)

    def look(self, now_ms: int) -> None:
        """Look at whatever is due."""
        self._contests.try_again()
        complete = [waiting for waiting in self._contests.checked() if self._contests.is_complete(waiting)]
        for waiting, judgement in self._judged(complete):
            findings = tuple(waiting.findings)
            self._contests.leave(waiting)
            if isinstance(judgement, NeedsEvidence):
                assert waiting.needs is not None
                self._settle(waiting, self._desk.conclude(waiting.needs, findings))
            else:
                self._take(waiting, judgement, now_ms)
        self._look_at_unheard(now_ms)
        self._take_turns(now_ms)

    def next_look_ms(self, now_ms: int) -> int | None:
        """When to look next; None while nothing waits."""
        times = []
        if self._contests.checked():
            # Rounded, so that one timer wakes all that wait.
            times.append((now_ms // LOOK_MS + 1) * LOOK_MS)
        if self._contests.has_turns:
            times.append(now_ms + (RETRY_MS if self._contests.is_stuck else 1))
        unheard = self._unheard.next_look_ms()
        if unheard is not None:
            times.append(unheard)
        return min(times, default=None)

    def _outcome(self, judgement: Any, *, turn: bool = False) -> Any:
        """What a judgement comes to where nothing has to be waited for, else None."""
        if isinstance(judgement, NeedsEvidence):
            findings = self._contests.at_once(judgement, turn=turn)
            return None if findings is None else self._desk.conclude(judgement, findings)
        return None if isinstance(judgement, Parked) else judgement

    def _take(self, waiting: Waiting, judgement: Any, now_ms: int, *, turn: bool = False) -> None:
        """What becomes of a record that was just judged, and is in no state now."""
        outcome = self._outcome(judgement, turn=turn)
        if outcome is not None:
            self._settle(waiting, outcome)
        else:
            self._wait(waiting, judgement, now_ms, turn=turn)

    def _wait(self, waiting: Waiting, judgement: Parked | NeedsEvidence, now_ms: int, *, turn: bool = False) -> None:
        match judgement:
            case Parked(verdict=verdict):
                # The time alone does not tell that it is lacking: what the log says may be under way.
                may_come = now_ms < waiting.refuse_at_ms or not self._desk.has_heard(waiting.since_ms)
                if may_come and self._unheard.has_room(waiting, verdict):
                    self._unheard.add(waiting, verdict, now_ms)
                    self._keep(waiting)
                else:
                    self._settle(waiting, Refused(verdict=verdict))
            case NeedsEvidence():
                if self._contests.enter(waiting, judgement, turn=turn) and self._contests.is_complete(waiting):
                    findings = tuple(waiting.findings)
                    self._contests.leave(waiting)
                    self._settle(waiting, self._desk.conclude(judgement, findings))
                else:
                    self._keep(waiting)

    def _look_at_unheard(self, now_ms: int) -> None:
        self._is_restored = False
        self._judge_again(self._unheard.due(now_ms, self._desk.knowledge(), self._desk.has_heard), now_ms)

    def _judge_again(self, unheard: list[Waiting], now_ms: int) -> None:
        for waiting, judgement in self._judged(unheard):
            self._unheard.remove(waiting)
            self._take(waiting, judgement, now_ms)

    def _take_turns(self, now_ms: int) -> None:
        """Those QUEUED whose contest is free: judged in their order, until one is CHECKED."""
        left = _AT_ONCE
        while left > 0 and (turn := self._contests.next_turn(_IN_ONE_TURN)):
            left -= len(turn)
            assert turn[0].needs is not None
            contest = contest_of(turn[0].needs)
            num_taken = 0
            for waiting, judgement in self._judged(turn):
                self._take(waiting, judgement, now_ms, turn=True)
                if waiting.state is State.QUEUED:
                    break
                num_taken += 1
                if waiting.state is State.CHECKED:
                    break
            self._contests.go_on(contest, turn[num_taken:])

    def _judged(self, waiting: Sequence[Waiting]) -> Iterator[tuple[Waiting, Any]]:
        # Asked before the judgement: what another subtask hears of meanwhile may come too late for it.
        knowledge = self._desk.knowledge()
        for one, judgement in zip(waiting, self._desk.judge([one.record for one in waiting]), strict=True):
            one.knowledge = knowledge
            yield one, judgement

    def _settle(self, waiting: Waiting, outcome: Any) -> None:
        waiting.state = State.NEW
        self._desk.settled(waiting.record, outcome)
        if waiting.is_kept:
            waiting.is_kept = False
            self._desk.drop(waiting)

    def _keep(self, waiting: Waiting) -> None:
        if not waiting.is_kept:
            waiting.is_kept = True
            self._desk.keep(waiting)

    def _next_order(self) -> int:
        self._num_arrived += 1
        return self._num_arrived
