"""What the jobs do with a task's records, one after the other in this process: the gate, the window, the rule, the
sums, the keeper.

The decisions are the jobs' own pure functions, and so are the tensors' (`Shard`). Here they are only put together, as
the operators do it, without keyed state, partitions and checkpoints. Time is what the caller says it is.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from deploy.simulation.memory_log import MemoryLog
from deploy.simulation.parties import Parties
from fluvial.encoding.chunks import split
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import AcceptedUpdate, Outcome, Round, RoundEvent, Task, TensorLayout, Verdict
from fluvial.wire.task_file import TaskFile
from governance.admission import gate
from governance.admission.content import ContentInspector, inspect_inline
from governance.admission.evidence import Finding
from governance.admission.gate import GatePolicy, NeedsEvidence, Source
from models.aggregation.plan import Measure
from models.aggregation.rule import parse_rule
from pipelines.aggregation.messages import Place, RoundFailed, Selected, ShardDone, ShardFailed, Undecided
from pipelines.aggregation.rounds import records, task_life, window
from pipelines.aggregation.rounds.registration import admitted
from pipelines.aggregation.rule import selection
from pipelines.aggregation.shards.chunk_source import ChunkSource
from pipelines.aggregation.shards.shard import Shard
from pipelines.aggregation.shards.slices import Work
from pipelines.aggregation.shards.sums import ExactSums
from pipelines.aggregation.shards.tensor_memory import TensorMemory
from pipelines.validation.accepted_records import AcceptedRecords, first_remembered

T = TypeVar("T")

_SUM_BYTES = 1 << 30
_TENSOR_BYTES = 1 << 30
_MAX_RECORD_BYTES = 1 << 20


class _Bytes(dict[str, bytes]):
    """A dictionary with the words of Flink's MapState."""

    def put_all(self, dict_value: dict[str, bytes]) -> None:
        self.update(dict_value)

    def remove(self, key: str) -> None:
        self.pop(key, None)


class Server:
    """One task of a federation. outcomes: what became of each accepted update that left the window, in order.
    transitions: of its rounds. parties: who the gate believes, and who signs its rounds."""

    def __init__(self, log: MemoryLog, parties: Parties) -> None:
        self._log, self._parties, trusted = log, parties, parties.trusted
        self._policy = GatePolicy(max_record_bytes=_MAX_RECORD_BYTES, partitions=log.partitions, scope=parties.scope)
        self._seen = AcceptedRecords(_Bytes(), lambda task: first_remembered(trusted.current(task)))
        # What lies in this process' memory was hashed by the gate, or by the shard that wrote it.
        source = ChunkSource(
            0, 1, log.update_chunk, log.model_chunk, lambda reference, raw: True, lambda reference, raw: True
        )
        self._shard = Shard(source, ExactSums(_SUM_BYTES), TensorMemory(_TENSOR_BYTES))
        self._state: task_life.TaskState | None = None
        self._window = window.Window()
        self._admitted: list[AcceptedUpdate] = []
        self._held: list[AcceptedUpdate] = []
        self._closed: deque[tuple[Round, list[AcceptedUpdate]]] = deque()
        self._failed: deque[RoundFailed] = deque()
        self._wakes: list[int] = []
        self.round: Round | None = None
        self.outcomes: list[tuple[AcceptedUpdate, Outcome]] = []
        self.transitions: list[RoundEvent] = []

    @property
    def num_admitted(self) -> int:
        """Updates in the open round."""
        return len(self._admitted)

    @property
    def next_wake_ms(self) -> int | None:
        """When `wake` has something to do; None for never."""
        return self._wakes[0] if self._wakes else None

    def create(
        self, task_file: TaskFile, layout: tuple[TensorLayout, ...], initial: NDArray[np.float32], now_ms: int
    ) -> Task:
        """Publish version 0 and the task, as its operator does, and open its first round. initial: float32[D].

        Raises ValueError for a task that could not run.
        """
        records.check(task_file, layout)
        cut = split(initial.astype("<f4").tobytes(), 4 * task_file.chunk_elements)
        chunks = self._log.append_model(task_file.task, 0, cut, task_file.kept_versions)
        first = self._log.published[0] = records.first_manifest(task_file, layout, chunks, now_ms=now_ms)
        task = admitted(None, records.first_task(task_file, first))
        self._parties.register_task(task)
        self._keep(task, now_ms)
        self._settle(now_ms)
        return task

    def receive(self, raw: bytes, source: Source, now_ms: int) -> Verdict:
        """Judge a record of topic updates, and do what follows."""
        (judgement,) = gate.judge(
            [(raw, source)],
            registry=self._parties.trusted,
            rounds=self._parties.trusted,
            seen=self._seen,
            policy=self._policy,
        )
        if not isinstance(judgement, NeedsEvidence):
            return judgement.verdict
        finding = self._inspected(judgement)
        verdict, accepted = gate.conclude(judgement, [finding], self._policy)
        if accepted is None:
            self._seen.note_failure(verdict.participant, verdict.task, verdict.round)
        else:
            self._seen.remember(accepted)
            self._step(accepted, now_ms)
            self._settle(now_ms)
        self._seen.flush()
        return verdict

    def wake(self, now_ms: int) -> None:
        """Let the timers fire that are due."""
        while self._wakes and self._wakes[0] <= now_ms:
            heapq.heappop(self._wakes)
            self._step(window.Deadline(), now_ms)
            self._settle(now_ms)

    def _inspected(self, needs: NeedsEvidence) -> Finding:
        if needs.update.inline is not None:
            return inspect_inline(needs.update, needs.round, needs.numbers)
        inspector = ContentInspector(needs.update, needs.round)
        for index, reference in enumerate(needs.update.chunks):
            try:
                if not inspector.add(index, self._log.update_chunk(reference)):
                    break
            except ChunkUnavailable:
                inspector.unavailable(index)
                break
        return inspector.result()

    def _step(self, event: Round | AcceptedUpdate | window.Deadline, now_ms: int) -> None:
        """The window after an event. What follows for the round is left for `_settle`, as operators meet in queues."""
        self._window, effects = window.step(self._window, event, now_ms, arrival_wait_ms=0)
        for effect in effects:
            match effect:
                case window.Begin(round_):
                    if selection.adds_as_they_come(round_):
                        self._shard.begin(round_)
                case window.Admit(update):
                    self._admitted.append(update)
                case window.Hold(update):
                    self._held.append(update)
                case window.HoldAdmitted():
                    self._held, self._admitted = [*self._admitted, *self._held], []
                case window.Release():
                    held, self._held = self._held, []
                    for update in held:
                        self._step(update, now_ms)
                case window.Late(update):
                    self.outcomes.append((update, Outcome.LATE))
                case window.GiveBack():
                    self._give_back(self._take_admitted())
                case window.WakeAt(at_ms):
                    heapq.heappush(self._wakes, at_ms)
                case window.Fail(round_, num_updates):
                    reason = f"{num_updates} updates are less than the quorum of {round_.quorum}"
                    self._failed.append(RoundFailed(Place(round_.round, round_.attempt), num_updates, reason))
                case window.Close(round_):
                    self._closed.append((round_, selection.in_order(self._take_admitted())))

    def _settle(self, now_ms: int) -> None:
        """Rule, shards and keeper, until nothing is left to do."""
        while self._failed or self._closed:
            if self._failed:
                self._keep(self._failed.popleft(), now_ms)
            else:
                self._aggregate(*self._closed.popleft(), now_ms)

    def _aggregate(self, round_: Round, updates: Sequence[AcceptedUpdate], now_ms: int) -> None:
        place = Place(round_.round, round_.attempt)
        try:
            needs = parse_rule(round_.rule).measure is not Measure.NONE
            measured = _done(self._shard.measure(round_, updates)) if needs else {}
            plan = selection.plan(round_, updates, measured)
        except (ValueError, ArithmeticError, ChunkUnavailable) as error:
            self._keep(Undecided(place, tuple(updates), f"the rule cannot decide: {error}"), now_ms)
            return
        weights = plan.effective_weights
        columns = [column for column, weight in enumerate(weights) if weight]
        taken = [updates[column] for column in columns]
        self._keep(Selected(place, tuple(updates), weights, plan.divisor), now_ms)
        try:
            chunks = _done(self._shard.combine(round_, taken, plan.of_columns(columns), self._log))
        except (ValueError, ArithmeticError, ChunkUnavailable) as error:
            self._keep(ShardFailed(place, f"{type(error).__name__}: {error}"), now_ms)
        else:
            self._keep(ShardDone(place, chunks), now_ms)

    def _keep(self, event: Task | task_life.Report, now_ms: int) -> None:
        self._state, effects = task_life.step(self._state, event, now_ms)
        for effect in effects:
            match effect:
                case task_life.Publish(manifest, updates):
                    self._log.published[manifest.version] = manifest
                    for update, contribution in zip(updates, manifest.contributions, strict=True):
                        outcome = Outcome.INCLUDED if contribution.selected else Outcome.EXCLUDED
                        self.outcomes.append((update, outcome))
                case task_life.Announce(round_):
                    self.round = round_
                    self._parties.announce(round_)
                    self._step(round_, now_ms)
                case task_life.Record(event_):
                    self.transitions.append(event_)
                case task_life.GiveBack(updates):
                    self._give_back(updates)

    def _give_back(self, updates: Sequence[AcceptedUpdate]) -> None:
        self.outcomes += ((update, Outcome.ROUND_FAILED) for update in updates)

    def _take_admitted(self) -> list[AcceptedUpdate]:
        admitted, self._admitted = self._admitted, []
        return admitted


def _done(work: Work[T]) -> T:
    """The result of work that nobody has to wait for."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            result: T = stop.value
            return result
