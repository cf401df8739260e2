"""Flink function that keeps tasks: it performs what `task_life` decides, and holds the aggregator's key."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import ValueStateDescriptor

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import decode
from fluvial.wire.records import AcceptedUpdate, ModelManifest, Outcome, PublishedModel, Receipt, Task
from pipelines.aggregation import committed
from pipelines.aggregation.messages import RoundFailed, Selected, ShardDone, ShardFailed, Undecided
from pipelines.aggregation.rounds import task_life, task_state
from pipelines.aggregation.rounds.receipts import frames_of_receipt, receipt_frames
from pipelines.aggregation.rounds.registration import admitted
from pipelines.config import Settings
from pipelines.flink.attempts import attempt_of
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.frames import sink_frame
from pipelines.flink.messages import unpack
from pipelines.flink.shared import ended_with

_log = logger(__name__)

_REPORTS: dict[str, type[task_life.Report]] = {
    report.kind: report for report in (Selected, Undecided, ShardDone, ShardFailed, RoundFailed)
}


class KeepTask(KeyedProcessFunction):
    """Keyed by task: opens rounds and publishes models. Output: sink frames."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ends: list[Callable[[], None]] = []

    def open(self, ctx: Any) -> None:
        self._recovery = committed.acquire(self._settings, attempt_of(ctx))
        self._ends.append(ended_with(self, partial(committed.release, self._settings, attempt_of(ctx))))
        self._topics = self._settings.topics
        self._key = SigningKey.load(self._settings.keys_dir / "aggregator.pem")
        self._state = ctx.get_state(ValueStateDescriptor("task", Types.PICKLED_BYTE_ARRAY()))
        self._looked_at: set[str] = set()

    def close(self) -> None:
        while self._ends:
            self._ends.pop()()

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        task, kind, parts = unpack(bytes(value))
        now_ms = int(time.time() * 1000)
        state, effects = self._begin(task, now_ms)
        event = _registered(state, *parts) if kind == "task" else _REPORTS[kind].of(parts)
        if event is not None:
            state, further = task_life.step(state, event, now_ms)
            effects += further
        if state is not None:
            self._state.update(task_state.dump(state))
        for effect in effects:
            yield from self._perform(effect, now_ms)

    def _begin(self, task: str, now_ms: int) -> tuple[task_life.TaskState | None, list[task_life.Effect]]:
        """The task; at the first look as the log has it, where Flink has no state, or one that the log has gone beyond.
        With it, what the log owes."""
        stored = self._state.value()
        if task in self._looked_at:
            return task_state.load(bytes(stored) if stored is not None else None), []
        self._looked_at.add(task)
        try:
            state = task_state.load(bytes(stored) if stored is not None else None)
        except ValueError as error:
            _log.warning("%s: the log is read instead: %s", task, error)
            state = None
        found = self._recovery.task(task)
        if found is None or (state is not None and _progress(state) >= _progress(found.state)):
            return state, []
        _log.warning("%s goes on from the log: round %d, attempt %d", task, found.state.round, found.state.attempt)
        follow = task_life.resume if found.owes_next else task_life.obey
        return follow(found.state, now_ms)

    def _perform(self, effect: task_life.Effect, now_ms: int) -> Iterator[bytes]:
        match effect:
            case task_life.Announce(round_):
                envelope = seal(round_, self._key, "aggregator", self._topics.scope)
                yield sink_frame(self._topics.rounds, round_.task.encode(), envelope)
            case task_life.Publish(manifest, updates):
                yield from self._publish(manifest, updates)
            case task_life.Record(transition):
                yield audit_frame(self._topics, transition, now_ms)
            case task_life.GiveBack(updates):
                for update in updates:
                    yield from receipt_frames(self._settings, update, Outcome.ROUND_FAILED)

    def _publish(self, manifest: ModelManifest, updates: Sequence[AcceptedUpdate]) -> Iterator[bytes]:
        envelope = seal(manifest, self._key, "aggregator", self._topics.scope)
        yield sink_frame(self._topics.models, f"{manifest.task}/{manifest.version}".encode(), envelope)
        published = PublishedModel(
            task=manifest.task,
            version=manifest.version,
            round=manifest.round,
            attempt=manifest.attempt,
            model_digest=manifest.model_digest,
            manifest_sha256=sha256(envelope).digest(),
            num_selected=sum(contribution.selected for contribution in manifest.contributions),
            num_contributions=len(manifest.contributions),
        )
        yield audit_frame(self._topics, published, manifest.created_ms)
        for contribution, update in zip(manifest.contributions, updates, strict=True):
            receipt = Receipt(
                task=manifest.task,
                round=update.round,
                attempt=update.attempt,
                participant=update.participant,
                update_id=update.update_id,
                outcome=Outcome.INCLUDED if contribution.selected else Outcome.EXCLUDED,
                version=manifest.version,
                weight=update.weight,
                model_digest=manifest.model_digest,
            )
            yield from frames_of_receipt(self._settings, receipt, manifest.created_ms)


def _registered(state: task_life.TaskState | None, record: bytes, sealed: bytes = b"") -> Task | None:
    task = decode(record, Task)
    try:
        return admitted(state, task, sealed)
    except ValueError as why:
        _log.warning("the task %s is not taken as it was registered: %s", task.task, why)
        return None


def _progress(state: task_life.TaskState) -> tuple[int, int, bool]:
    """How far the task is: a round that is over is further than one that is open."""
    return state.round, state.attempt, not state.open
