"""What the committed log says of the rounds of all tasks: where the stage goes on when it is started without state.

The newest record of topic rounds is a whole round: its place, its terms, and the model it starts from. A manifest that
is newer than it tells that the round is over; where compaction has left no round, the newest manifest says where the
task is. Verdicts tell which updates were accepted, receipts which of them are
answered; what is accepted and not answered belongs to a window. Pure folds over records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b

from fluvial.identity.envelope import unseal
from fluvial.registry.approval import why_not_approved
from fluvial.registry.order import order
from fluvial.registry.round_terms import changed, of_round
from fluvial.registry.rounds import NewestRounds, is_over
from fluvial.registry.view import VerifiedRegistry
from fluvial.wire.errors import FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.records import (
    AcceptedUpdate,
    Decision,
    ModelManifest,
    Outcome,
    Receipt,
    Round,
    RoundStatus,
    Task,
    TaskStatus,
    Verdict,
    WindowMode,
)
from fluvial.wire.task_file import TaskFile
from pipelines.aggregation.messages import Place
from pipelines.aggregation.rounds import records, terms
from pipelines.aggregation.rounds.registration import refusal
from pipelines.aggregation.rounds.task_life import TaskState
from pipelines.flink.frames import SourceRecord

_log = logger(__name__)
_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class RecoveredTask:
    """A task as the log has it. owes_next: its newest model, or the end of the task, was published, and what follows
    was not announced."""

    state: TaskState
    owes_next: bool


class Recovery:
    """Fed topic by topic, in the order of the methods; then asked. What is not genuine is skipped and counted.

    Keys: Ed25519 public keys, 32 bytes. ends: by partition where topic updates ended before the others were read:
    nothing behind has an answer. scope: `Topics.scope`.
    """

    def __init__(
        self,
        *,
        operator_key: bytes,
        registrar_key: bytes,
        aggregator_key: bytes,
        ends: Mapping[int, int],
        scope: str = "",
    ) -> None:
        self._registry = VerifiedRegistry(operator_key, registrar_key, scope)
        self._rounds = NewestRounds(aggregator_key, scope)
        self._aggregator_key, self._scope = aggregator_key, scope
        self._ends = ends
        self._tasks: dict[str, tuple[Task, bool]] = {}
        self._registered: dict[str, list[tuple[str, bytes]]] = {}
        """Of each task the first record that is there and the newest: file and envelope."""
        self._announced_ms: dict[str, int] = {}
        self._manifests: dict[str, ModelManifest] = {}
        self._answered: set[bytes] = set()
        self._used: set[bytes] = set()
        self._accepted: dict[str, dict[bytes, Verdict]] = {}
        self.num_skipped = 0

    # Feeding.

    def take_registry(self, found: Iterable[SourceRecord]) -> None:
        """Of the records of each task the newest that the keeper takes; where it takes none, the newest."""
        for record in found:
            key = (record.key or b"").decode(errors="replace")
            if not key.startswith("task/"):
                continue
            with self._skipping():
                if not self._registry.apply(key, record.value):
                    continue
                task = self._registry.task(key.removeprefix("task/"))
                if task is not None:
                    self._register(task)
                    there = task.specification, record.value
                    self._registered[task.task] = [self._registered.get(task.task, [there])[0], there]

    def _register(self, task: Task) -> None:
        known, was_refused = self._tasks.get(task.task, (None, True))
        refused = bool(refusal(None, task))
        if known is not None and refused and task.status is not TaskStatus.RUNNING:
            # It halts the task whatever its terms are.
            halted = replace(task, specification=known.specification, layout=known.layout)
            self._tasks[task.task] = halted, was_refused
        elif not refused or was_refused:
            self._tasks[task.task] = task, refused

    def take_rounds(self, found: Iterable[SourceRecord]) -> None:
        for record in found:
            with self._skipping():
                round_ = self._rounds.apply(record.value)
                if round_ is not None:
                    # A copy has a later broker time than what followed, which compaction may have taken.
                    self._announced_ms[round_.task] = min(record.timestamp_ms, round_.opened_ms)

    @property
    def models_since_ms(self) -> int | None:
        """Broker time of the first record of topic models that may matter; None where none does."""
        if any(
            task.status is TaskStatus.RUNNING and not self._rounds.newest(name)
            for name, (task, _) in self._tasks.items()
        ):
            return 0
        return min((self._announced_ms[round_.task] for round_ in self._open()), default=None)

    def take_models(self, found: Iterable[SourceRecord]) -> None:
        for record in found:
            with self._skipping():
                manifest = unseal(record.value, ModelManifest, self._aggregator_key, self._scope)
                known = self._manifests.get(manifest.task)
                if known is None or Place(manifest.round, manifest.attempt) >= Place(known.round, known.attempt):
                    self._manifests[manifest.task] = manifest

    def take_receipts(self, found: Iterable[Receipt]) -> None:
        for receipt in found:
            if receipt.outcome in (Outcome.INCLUDED, Outcome.EXCLUDED):
                # Formerly these named the attempt of the round that took the update.
                self._used.add(_key(receipt.task, receipt.participant, receipt.update_id, receipt.round))
            self._answered.add(_key_of(receipt))

    @property
    def verdicts_since_ms(self) -> int | None:
        """Broker time of the first verdict that may matter; None where none does."""
        return min((self._announced_ms[round_.task] - _held_ms(round_) for round_ in self._open()), default=None)

    def take_verdicts(self, found: Iterable[Verdict]) -> None:
        for verdict in found:
            round_ = self._rounds.newest(verdict.task)
            if verdict.decision is Decision.ACCEPT and round_ is not None and _takes(round_, verdict):
                self._accepted.setdefault(verdict.task, {})[verdict.record_sha256] = verdict

    # Asking.

    def is_answered(self, update: AcceptedUpdate) -> bool:
        """Whether the update has a receipt."""
        end = self._ends.get(update.source_partition)
        if end is not None and update.source_offset >= end:
            return False
        if _key_of(update) in self._answered:
            return True
        return _key(update.task, update.participant, update.update_id, update.round) in self._used

    def unanswered(self, task: str) -> set[bytes]:
        """SHA-256 of the records of all updates that the task's open round may take and that have no receipt."""
        accepted = self._accepted.get(task, {})
        return {
            digest
            for digest, verdict in accepted.items()
            if _key_of(verdict) not in self._answered
            and _key(verdict.task, verdict.participant, verdict.update_id, verdict.round) not in self._used
        }

    def task(self, task: str) -> RecoveredTask | None:
        """The task as its rounds and models stand; None where it has had none, or is not registered."""
        known, round_ = self._tasks.get(task), self._rounds.newest(task)
        if known is None:
            return None
        if round_ is None:
            return self._without_rounds(known[0])
        state = _state(known[0], round_, self._registered[task])
        if state is None:
            _log.error("the task %s cannot go on: its record and its newest round contradict each other", task)
            return None
        if round_.status is not RoundStatus.OPEN:
            return RecoveredTask(replace(state, open=False), owes_next=False)
        manifest = self._manifests.get(task)
        if manifest is None or Place(manifest.round, manifest.attempt) < Place(round_.round, round_.attempt):
            return RecoveredTask(state, owes_next=False)
        closed = replace(state, round=manifest.round, attempt=manifest.attempt, open=False)
        if round_.partial:
            return RecoveredTask(closed, owes_next=False)
        return RecoveredTask(replace(closed, model=records.model_of(manifest)), owes_next=True)

    def _without_rounds(self, task: Task) -> RecoveredTask | None:
        """A task that has models has had rounds: whoever may write there had compaction take what told of them."""
        manifest = self._manifests.get(task.task)
        if manifest is None or not manifest.version or manifest.partial:
            return None
        _log.error("topic rounds has nothing of the task %s: it goes on behind its newest model", task.task)
        state = TaskState(
            task=task.task,
            specification=task.specification,
            record_version=task.version,
            created_ms=task.created_ms,
            model=records.model_of(manifest),
            round=manifest.round,
            attempt=manifest.attempt,
            status=task.status,
            reason=task.reason,
        )
        return RecoveredTask(state, owes_next=True)

    def _open(self) -> list[Round]:
        """Those whose windows may hold updates."""
        return [round_ for round_ in self._rounds.all_newest() if not is_over(round_)]

    @contextmanager
    def _skipping(self) -> Iterator[None]:
        try:
            yield
        except FluvialError:
            self.num_skipped += 1


def _state(task: Task, round_: Round, registered: list[tuple[str, bytes]]) -> TaskState | None:
    """The task in its round, with the terms of its record for the next one. A region's record comes again, and tells
    then whether its parent has come further. registered: its first record that is there and its newest, each with its
    envelope; the newest follows from the first, and one of them must be what the round's own terms allow."""
    try:
        file = TaskFile.model_validate_json(task.specification)
        opened = of_round(file, round_)
    except (ValueError, FluvialError):
        return None
    version, created_ms = (-1, -1) if round_.partial else order(task)
    state = TaskState(
        task=task.task,
        specification=opened.model_dump_json(),
        record_version=version,
        created_ms=created_ms,
        model=records.base_of(round_),
        round=round_.round,
        attempt=round_.attempt,
        open=True,
        fraction_bits=round_.fraction_bits,
        status=task.status,
        reason=task.reason,
        announced=round_.status,
    )
    if round_.partial or refusal(state, task):
        return state
    if not any(_is_approved(opened, *each) for each in registered):
        _log.error("the task %s keeps its terms: those in the registry lack the signatures of operators", task.task)
        return state
    return replace(state, registered=changed(opened, file).model_dump_json())


def _is_approved(opened: TaskFile, specification: str, sealed: bytes) -> bool:
    try:
        file = TaskFile.model_validate_json(specification)
    except ValueError:
        return False
    return not why_not_approved(opened, changed(opened, file), sealed)


def _takes(round_: Round, verdict: Verdict) -> bool:
    """Whether the round may take an update of this verdict, now or when it is closed."""
    if round_.window is WindowMode.SYNCHRONOUS:
        return (verdict.round, verdict.attempt) == (round_.round, round_.attempt)
    return round_.round - round_.max_staleness <= verdict.round <= round_.round


def _held_ms(round_: Round) -> int:
    """How long before the round was announced updates for it may have been accepted."""
    return 0 if round_.window is WindowMode.SYNCHRONOUS else terms.LONGEST_WAIT_SECONDS * 1000


def _key_of(about: Receipt | Verdict | AcceptedUpdate) -> bytes:
    return _key(about.task, about.participant, about.update_id, about.round, about.attempt)


def _key(*parts: str | int) -> bytes:
    """Names hold no line feed."""
    return blake2b("\n".join(map(str, parts)).encode(), digest_size=_KEY_BYTES).digest()
