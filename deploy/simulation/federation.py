"""Simulated time: participants train for the rounds that invite them, updates arrive, timers fire, models are measured.
Only training and aggregation take real time.

Every participant does as `fluvial.edge.participation` does: it trains for the newest round that invites it; an update
that a failed synchronous round gave back is sent again for the next attempt, without training; an asynchronous round
takes one update for all its attempts. Whoever would come after a synchronous round is over has trained for nothing
there; here it does not train.
"""

from __future__ import annotations

import heapq
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import numpy as np

from deploy.simulation.books import Books, RoundRow
from deploy.simulation.durations import Durations
from deploy.simulation.learning import Learning, LearningPlan
from deploy.simulation.memory_log import MemoryLog
from deploy.simulation.parties import Parties
from deploy.simulation.server import Server
from deploy.simulation.submission import Submission
from deploy.simulation.trainings import Trainings
from deploy.simulation.workers import Workers
from fluvial import encoding as encodings
from fluvial.edge.contribution import least_weight
from fluvial.wire.records import ModelManifest, Round, RoundStatus, WindowMode
from fluvial.wire.sampling import invited

START_MS = 1_700_000_000_000
MAX_ATTEMPTS = 3
"""Attempts of a round after which a federation is said not to come to its quorum."""
_SHARE_OF_DEADLINE = 0.1
"""How long a typical participant takes, of the round's time."""
_RESEND_MS = 1
_PARTICIPANTS_A_WORKER = 8

OnProgress = Callable[[Round, int], None]
"""(open round, updates that are in it)."""


class NoQuorum(ValueError):
    """A round failed again and again."""


class SimulatedFederation:
    """A task in a federation whose participants have the examples of the plan. log: what is written there. encoding: of
    all updates. workers: processes that train; None for one a core, where so many train that starting them pays.
    keep_updates: for replay; otherwise what nobody asks for again is forgotten."""

    def __init__(
        self,
        plan: LearningPlan,
        *,
        workers: int | None = 1,
        encoding: str = "float32",
        keep_updates: bool = False,
        on_progress: OnProgress = lambda round_, admitted: None,
    ) -> None:
        """Raises ValueError for a task that could not run, data that do not fit, and an encoding that cannot be."""
        task_file = plan.task_file
        if encodings.encoder(encoding).omits:
            raise ValueError(f"{encoding} owes what it leaves out to a later update, which is not simulated")
        if encoding not in task_file.encodings:
            raise ValueError(f"the task takes the encodings {', '.join(task_file.encodings)}, not {encoding}")
        if task_file.partial:
            raise ValueError("a partial task makes no models: simulate its parent")
        self._task_file, self._on_progress, self._encoding = task_file, on_progress, encoding
        self.learning = Learning(plan)
        few = max(1, self.learning.num_participants // _PARTICIPANTS_A_WORKER)
        workers = min(few, len(os.sched_getaffinity(0))) if workers is None else workers
        self._workers = Workers(plan, self.learning, workers)
        self.log, self.parties = MemoryLog(), Parties(plan.seed)
        self.names = names_of(self.learning.num_participants)
        self._server = Server(self.log, self.parties)
        self._submission = Submission(self.log, self.parties, encoding, keep_updates)
        median_ms = _SHARE_OF_DEADLINE * 1000 * task_file.deadline_seconds
        self._durations = Durations(median_ms=median_ms, seed=plan.seed)
        self._now_ms = START_MS
        self._arrivals: list[tuple[int, int, int, Round]] = []
        self._order = count()
        self._busy: set[int] = set()
        self._answered: dict[int, tuple[int, int]] = {}
        self._books = Books()
        self._round: Round | None = None

    def run(self) -> Iterator[RoundRow]:
        """The rounds, each when its model is there. Raises NoQuorum, ValueError for examples that do not fit."""
        with ExitStack() as ends:
            folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="fluvial-simulate-")))
            ends.enter_context(self._workers)
            self._register(folder)
            num_published = 1
            while self._open.status is RoundStatus.OPEN:
                self._next_event()
                while num_published < len(self.log.published):
                    yield self._row(self.log.published[num_published])
                    num_published += 1

    @property
    def _open(self) -> Round:
        assert self._round is not None
        return self._round

    def _register(self, folder: Path) -> None:
        agreement = self._task_file.agreement
        if agreement is not None:
            self.parties.register_agreement(agreement.name, agreement.text)
        for name in self.names:
            key = self.log.keys[name] = self.parties.key(name).public_key
            self.parties.enrol(name, key, agreement.name if agreement else "")
        layout, initial = self.learning.layout, self.learning.initial()
        task = self._server.create(self._task_file, layout, initial, self._now_ms)
        self._trainings = Trainings(self._workers, self.log, task, self.names, self._encoding, folder)
        self._follow()

    def _next_event(self) -> None:
        """Let time pass until something happens."""
        wake_ms = self._server.next_wake_ms
        if self._arrivals and (wake_ms is None or self._arrivals[0][0] <= wake_ms):
            self._now_ms, _, participant, round_ = heapq.heappop(self._arrivals)
            self._arrive(participant, round_)
        elif wake_ms is not None:
            self._now_ms = max(self._now_ms, wake_ms)
            self._server.wake(self._now_ms)
        else:
            raise NoQuorum(f"round {self._open.round} waits, and nobody has an update: {self._books.in_words()}")
        self._settle()
        self._follow()
        self._on_progress(self._open, self._server.num_admitted)

    def _follow(self) -> None:
        """What participants do when they hear of a new round."""
        round_ = self._server.round
        if round_ is None or round_ is self._round:
            return
        self._round = round_
        if round_.attempt > MAX_ATTEMPTS:
            reason = next(each.reason for each in reversed(self._server.transitions) if each.reason)
            raise NoQuorum(
                f"round {round_.round} failed {MAX_ATTEMPTS} times ({reason}): {self._books.in_words()}; "
                f"{len(self.names)} participants, quorum {round_.quorum}"
            )
        if round_.status is RoundStatus.OPEN:
            self._trainings.begin(round_)
            for participant in range(len(self.names)):
                self._take_up(participant)

    def _take_up(self, participant: int) -> None:
        """Train for the open round, where it invites the participant and has no update of it."""
        round_ = self._open
        if participant in self._busy or round_.status is not RoundStatus.OPEN:
            return
        if not self._is_wanted(participant, round_):
            return
        if min(self.learning.num_examples(participant), round_.max_weight) < least_weight(round_):
            self._sit_out(participant, round_)
            return
        resent = round_.attempt > 1 and (participant, round_.round) in self._trainings
        takes_ms = _RESEND_MS if resent else self._durations.of(participant, round_.round)
        self._busy.add(participant)
        heapq.heappush(self._arrivals, (self._now_ms + takes_ms, next(self._order), participant, round_))

    def _is_wanted(self, participant: int, round_: Round) -> bool:
        last = self._answered.get(participant, (0, 0))
        is_synchronous = round_.window is WindowMode.SYNCHRONOUS
        answered = last >= (round_.round, round_.attempt) if is_synchronous else last[0] >= round_.round
        return not answered and invited(self.names[participant], round_.seed, round_.invited_fraction)

    def _arrive(self, participant: int, round_: Round) -> None:
        """A participant has trained for a round, and takes up the newest one."""
        self._busy.discard(participant)
        newest, is_synchronous = self._open, round_.window is WindowMode.SYNCHRONOUS
        if newest.status is not RoundStatus.OPEN or (round_ is not newest if is_synchronous else self._is_past(round_)):
            self._books.too_late += 1
        else:
            trained = self._trainings.result(participant, round_, self._next_ones)
            if trained.fault or trained.weight < least_weight(round_):
                self._books.faults.update([trained.fault] if trained.fault else [])
                self._sit_out(participant, round_)
            else:
                self._answered[participant] = round_.round, round_.attempt
                record = self._submission.record(self.names[participant], round_, trained, self._now_ms)
                verdict = self._server.receive(*record, self._now_ms)
                self._books.judged(verdict, round_, trained.beyond)
        self._settle()
        self._follow()
        self._take_up(participant)

    def _next_ones(self, round_: Round) -> list[int]:
        """Whose updates for the round arrive next: as many as it still takes."""
        room = max(0, round_.target - self._server.num_admitted - 1)
        return [one for _, _, one, theirs in sorted(self._arrivals, key=_time) if theirs is round_][:room]

    def _is_past(self, round_: Round) -> bool:
        return round_.round < self._open.round - self._open.max_staleness

    def _sit_out(self, participant: int, round_: Round) -> None:
        if self._answered.get(participant, (0, 0))[0] < round_.round:
            self._books.sat_out += 1
        self._answered[participant] = round_.round, MAX_ATTEMPTS

    def _settle(self) -> None:
        """Enter what became of accepted updates."""
        for update, outcome in self._server.outcomes:
            self._books.outcomes[outcome] += 1
            self._submission.answered(update)
        self._server.outcomes.clear()

    def _row(self, manifest: ModelManifest) -> RoundRow:
        model = b"".join(map(self.log.model_chunk, manifest.chunks))
        metrics = self.learning.measure(np.frombuffer(model, "<f4"))
        return self._books.row(manifest, metrics, (manifest.created_ms - START_MS) / 1000)


def _time(arrival: tuple[int, int, int, Round]) -> tuple[int, int]:
    return arrival[:2]


def names_of(num_participants: int) -> tuple[str, ...]:
    """participant-000 and so on."""
    width = len(str(num_participants - 1))
    return tuple(f"participant-{number:0{width}}" for number in range(num_participants))
