"""Flink function of the windows: it keeps state, sets timers and carries out the effects that `window` decides.

Started without state, a window is made again from the log: accepted updates come again (from validation, or from their
topic), those that have a receipt are passed over, and the others are gathered before anything is decided.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from pyflink.datastream import KeyedProcessFunction, OutputTag

from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import AcceptedUpdate, Outcome, Round
from pipelines.aggregation import committed
from pipelines.aggregation.messages import Add, Begin, Closed, MeasureRound, Message, Place, RoundFailed, decoded_round
from pipelines.aggregation.operators.side_outputs import TO_COMBINE, TO_KEEPER, TO_MEASURE, TO_SELECT
from pipelines.aggregation.operators.window_state import WindowState
from pipelines.aggregation.rounds import window
from pipelines.aggregation.rounds.receipts import receipt_frames
from pipelines.aggregation.rounds.window import Phase
from pipelines.aggregation.rule import selection
from pipelines.aggregation.shards.chunk_source import shards_of
from pipelines.config import Settings
from pipelines.flink.attempts import attempt_of
from pipelines.flink.environment import max_parallelism
from pipelines.flink.keys import shard_keys
from pipelines.flink.messages import pack, unpack
from pipelines.flink.shared import ended_with

GATHERING_MS = 60_000
"""Longest wait, after a start without state, for what the log holds for a window to come again."""

_log = logger(__name__)


class CollectRound(KeyedProcessFunction):
    """Keyed by task: the window. Main output: sink frames (receipts of late and failed updates)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ends: list[Callable[[], None]] = []

    def open(self, ctx: Any) -> None:
        self._recovery = committed.acquire(self._settings, attempt_of(ctx))
        self._ends.append(ended_with(self, partial(committed.release, self._settings, attempt_of(ctx))))
        self._state = WindowState(ctx)
        parallelism = self._settings.parallelism
        self._shard_keys = shard_keys(self._settings.partitions, parallelism, max_parallelism(parallelism))
        self._first_deadline_ms = _now_ms() + self._settings.parking_ms
        self._missing: dict[str, set[bytes]] = {}
        """Of each window that is being gathered the digests of what has not come again."""
        self._gathering_ends_ms: dict[str, int] = {}
        self._admits: list[bytes] = []
        """Admitted by the message in hand, not yet written: one write and one message to a shard take them all."""

    def close(self) -> None:
        while self._ends:
            self._ends.pop()()

    def process_element(self, value: bytes, ctx: Any) -> Iterator[Any]:
        _, kind, parts = unpack(bytes(value))
        if kind == "round":
            yield from self._run([(decoded_round(parts[0]), parts[0])], _now_ms(), ctx)
        else:
            yield from self._run(((decode(part, AcceptedUpdate), part) for part in parts), _now_ms(), ctx)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        now_ms = max(timestamp, _now_ms())
        if now_ms < self._first_deadline_ms:
            # After an outage, what the broker had in time is still on its way when the timers fire.
            ctx.timer_service().register_processing_time_timer(self._first_deadline_ms)
            return
        yield from self._run([(window.Deadline(), b"")], now_ms, ctx)

    def _run(self, events: Iterable[tuple[Any, bytes]], now_ms: int, ctx: Any) -> Iterator[Any]:
        """Events with their records' bytes, which state and messages take as they are."""
        task = ctx.get_current_key()
        state = self._begin(task, now_ms, ctx)
        for event, encoded in events:
            if isinstance(event, AcceptedUpdate) and self._is_repeat(task, event):
                continue
            state = yield from self._step(state, event, encoded, now_ms, ctx)
        if state.phase is Phase.GATHERING and self._is_gathered(task, now_ms):
            state = yield from self._step(state, window.Gathered(), b"", now_ms, ctx)
        yield from self._write_admitted(state.round)
        self._state.store(task, state)

    def _begin(self, task: str, now_ms: int, ctx: Any) -> window.Window:
        """The task's window. At the first look, one that has no state is gathered from what the log holds for it."""
        state, was_looked_at = self._state.load(task)
        if was_looked_at:
            return state
        if self._state.is_empty:
            if self._recovery.unanswered(task):
                state = window.Window(phase=Phase.GATHERING)
        else:
            # A checkpoint may be older than the log: what has a receipt is not answered twice.
            state = replace(state, num_admitted=self._state.forget(task, self._recovery.is_answered))
        if state.phase is Phase.GATHERING:
            self._missing[task] = self._recovery.unanswered(task) - self._state.present(task)
            self._gathering_ends_ms[task] = now_ms + GATHERING_MS
            ctx.timer_service().register_processing_time_timer(self._gathering_ends_ms[task])
        return state

    def _is_repeat(self, task: str, update: AcceptedUpdate) -> bool:
        """Whether the window has had the update, or the log tells that it is answered. Otherwise it is noted."""
        digest = update.record_sha256
        if self._state.knows(task, digest) or self._recovery.is_answered(update):
            return True
        self._state.arrived(task, digest)
        self._missing.get(task, set()).discard(digest)
        return False

    def _is_gathered(self, task: str, now_ms: int) -> bool:
        missing = self._missing[task]
        if missing and now_ms < self._gathering_ends_ms[task]:
            return False
        if missing:
            _log.error("%s: %d accepted updates have not come again: the round goes on without", task, len(missing))
        del self._missing[task], self._gathering_ends_ms[task]
        return True

    def _step(
        self, state: window.Window, event: Any, encoded: bytes, now_ms: int, ctx: Any
    ) -> Generator[Any, None, window.Window]:
        state, effects = window.step(state, event, now_ms, arrival_wait_ms=self._settings.arrival_wait_ms)
        for effect in effects:
            match effect:
                case window.Release(in_broker_order):
                    held = [(decode(data, AcceptedUpdate), data) for data in self._state.take_held()]
                    if in_broker_order:
                        held.sort(key=lambda item: _broker_order(item[0]))
                    for update, data in held:
                        state = yield from self._step(state, update, data, now_ms, ctx)
                case window.WakeAt(at_ms):
                    ctx.timer_service().register_processing_time_timer(at_ms)
                case window.Admit():
                    self._admits.append(encoded)
                case window.Hold():
                    self._state.hold(encoded)
                case _:
                    yield from self._write_admitted(state.round)
                    yield from self._perform(ctx.get_current_key(), effect)
        return state

    def _perform(self, task: str, effect: window.Effect) -> Iterator[Any]:
        match effect:
            case window.Begin(round_):
                if selection.adds_as_they_come(round_):
                    yield from self._to_shards(TO_COMBINE, round_, Begin(encode(round_)))
            case window.HoldAdmitted():
                self._state.hold_admitted()
            case window.Late(update):
                self._state.done(task, [update])
                yield from receipt_frames(self._settings, update, Outcome.LATE)
            case window.GiveBack():
                for update, _ in self._taken(task):
                    yield from receipt_frames(self._settings, update, Outcome.ROUND_FAILED)
            case window.Fail(round_, num_updates):
                reason = f"{num_updates} updates are less than the quorum of {round_.quorum}"
                place = Place(round_.round, round_.attempt)
                yield TO_KEEPER, RoundFailed(place, num_updates, reason).packed(task)
            case window.Close(round_):
                encoded = {update.record_sha256: (update, data) for update, data in self._taken(task)}
                updates = selection.in_order([update for update, _ in encoded.values()])
                ordered = tuple(encoded[update.record_sha256][1] for update in updates)
                encoded_round = encode(round_)
                if selection.needs_measurement(round_):
                    yield from self._to_shards(TO_MEASURE, round_, MeasureRound(encoded_round, ordered))
                yield TO_SELECT, Closed(encoded_round, ordered).packed(f"{task}/{round_.round}")

    def _taken(self, task: str) -> list[tuple[AcceptedUpdate, bytes]]:
        """The admitted updates, with which the window is done."""
        taken = [(decode(data, AcceptedUpdate), data) for data in self._state.take_admitted()]
        self._state.done(task, [update for update, _ in taken])
        return taken

    def _write_admitted(self, round_: Round | None) -> Iterator[Any]:
        """What was admitted to this round: into state, and to the shards where the rule lets them add at once."""
        if not self._admits or round_ is None:
            return
        admits, self._admits = self._admits, []
        self._state.admit(admits)
        if selection.adds_as_they_come(round_):
            place = Place(round_.round, round_.attempt)
            yield from self._to_shards(TO_COMBINE, round_, Add(round_.task, place, tuple(admits)))

    def _to_shards(self, tag: OutputTag, round_: Round, message: Message) -> Iterator[Any]:
        parts = message.parts()
        for shard in shards_of(round_, len(self._shard_keys)):
            yield tag, pack(self._shard_keys[shard], message.kind, parts)


def _broker_order(update: AcceptedUpdate) -> tuple[int, int, int]:
    return update.source_timestamp_ms, update.source_partition, update.source_offset


def _now_ms() -> int:
    return int(time.time() * 1000)
