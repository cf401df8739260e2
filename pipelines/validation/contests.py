"""Records of a lane that wait for evidence: one of each contest is under check, the others queue behind it.

A contest is what at most one of its records can win: the updates of one participant for one round of a task. Whoever
signs many of them has them checked one after the other, and as soon as one is accepted, or a few have failed, the rest
has its verdict without a look at its content.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from fluvial.admission.judgement import NeedsEvidence
from governance.admission.evidence import Evidence, Finding
from pipelines.validation.waiting import State, Waiting

Contest = tuple[str, str, int]
"""Participant, task and round."""


def contest_of(needs: NeedsEvidence) -> Contest:
    return needs.update.participant, needs.update.task, needs.update.round


class Room:
    """Bounds what the records under check in one subtask take in memory, counted in chunks. One alone always fits."""

    def __init__(self, num_chunks: int) -> None:
        self._limit = num_chunks
        self._taken = 0

    def take(self, num_chunks: int) -> bool:
        if self._taken and self._taken + num_chunks > self._limit:
            return False
        self._taken += num_chunks
        return True

    def give_back(self, num_chunks: int) -> None:
        self._taken -= num_chunks


class Contests:
    """See above. evidence: its kinds, in the order in which they are asked."""

    def __init__(self, evidence: Sequence[Evidence], room: Room) -> None:
        self._evidence = evidence
        self._room = room
        self._checked: dict[Contest, Waiting] = {}
        self._queues: dict[Contest, deque[Waiting]] = {}
        self._free: dict[Contest, None] = {}
        """Contests with a queue and nobody under check, in the order in which they became so."""
        self._is_full = False

    def at_once(self, needs: NeedsEvidence, *, turn: bool) -> list[Finding] | None:
        """The findings on a record that need not be under check, because all evidence on it is in hand and nobody of
        its contest is before it; None where it must enter. turn: see `enter`."""
        contest = contest_of(needs)
        if contest in self._checked or (not turn and contest in self._queues):
            return None
        findings = []
        for kind in self._evidence:
            finding = kind.at_once(needs)
            if finding is None:
                return None
            findings.append(finding)
            if finding.fault is not None:
                break
        return findings

    def enter(self, waiting: Waiting, needs: NeedsEvidence, *, turn: bool) -> bool:
        """Whether the record is under check now; if not, it queues. turn: its queue has let it go, and takes it back by
        `go_on`."""
        contest = contest_of(needs)
        waiting.needs = needs
        is_first = contest not in self._checked and (turn or contest not in self._queues)
        if is_first and self._room.take(_size(needs)):
            waiting.state = State.CHECKED
            waiting.findings.clear()
            self._checked[contest] = waiting
            if self._evidence:
                self._evidence[0].submit(needs)
            return True
        if is_first:
            self._is_full = True
        waiting.state = State.QUEUED
        if not turn:
            self._queue(contest, [waiting], front=False)
        return False

    def is_complete(self, waiting: Waiting) -> bool:
        """Whether all that was asked of a record under check is known; goes on with the next kind of evidence while
        what was found speaks for it."""
        assert waiting.needs is not None
        place = waiting.needs.source.place
        while len(waiting.findings) < len(self._evidence):
            kind = self._evidence[len(waiting.findings)]
            if not kind.ready(place):
                return False
            waiting.findings.append(kind.settle(place))
            if waiting.findings[-1].fault is not None:
                return True
            if len(waiting.findings) < len(self._evidence):
                self._evidence[len(waiting.findings)].submit(waiting.needs)
        return True

    def leave(self, waiting: Waiting) -> None:
        """The record is no longer under check; what is gathered of it is forgotten."""
        assert waiting.needs is not None
        contest = contest_of(waiting.needs)
        del self._checked[contest]
        self._room.give_back(_size(waiting.needs))
        self._is_full = False
        for kind in self._evidence[len(waiting.findings) :]:
            kind.withdraw(waiting.needs.source.place)
        if contest in self._queues:
            self._free[contest] = None

    def checked(self) -> list[Waiting]:
        """The records under check, in the order in which their checks began."""
        return list(self._checked.values())

    def next_turn(self, at_most: int) -> list[Waiting]:
        """The first of a queue whose turn it is, and those behind it, taken out of it; none where nobody's turn is."""
        if self._is_full or not self._free:
            return []
        contest = next(iter(self._free))
        del self._free[contest]
        queue = self._queues[contest]
        turn = [queue.popleft() for _ in range(min(at_most, len(queue)))]
        if not queue:
            del self._queues[contest]
        return turn

    def go_on(self, contest: Contest, back: list[Waiting]) -> None:
        """What follows a turn. back: those that were not judged after all, and stand at the front again."""
        if back:
            self._queue(contest, back, front=True)
        elif contest in self._queues and contest not in self._checked:
            self._free[contest] = None

    def try_again(self) -> None:
        """Another lane may have made room."""
        self._is_full = False

    @property
    def is_stuck(self) -> bool:
        return self._is_full

    @property
    def has_turns(self) -> bool:
        return bool(self._free)

    def _queue(self, contest: Contest, waiting: list[Waiting], *, front: bool) -> None:
        queue = self._queues.setdefault(contest, deque())
        if front:
            queue.extendleft(reversed(waiting))
        else:
            queue.extend(waiting)
        if contest not in self._checked:
            self._free[contest] = None


def _size(needs: NeedsEvidence) -> int:
    return len(needs.update.chunks) + 1
