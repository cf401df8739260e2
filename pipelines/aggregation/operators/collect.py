"""Flink function of the windows: it keeps state, sets timers and carries out the effects that `window` decides."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, OutputTag
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor

from fluvial.wire.framing import decode, encode
from fluvial.wire.records import AcceptedUpdate, Outcome, Round
from pipelines.aggregation.messages import Add, Begin, Closed, MeasureRound, Message, Place, RoundFailed, decoded_round
from pipelines.aggregation.operators.side_outputs import TO_COMBINE, TO_KEEPER, TO_MEASURE, TO_SELECT
from pipelines.aggregation.rounds import window
from pipelines.aggregation.rounds.receipts import receipt_frames
from pipelines.aggregation.rule import selection
from pipelines.config import Settings
from pipelines.flink.environment import MAX_PARALLELISM
from pipelines.flink.keys import shard_keys
from pipelines.flink.messages import pack, unpack


class CollectRound(KeyedProcessFunction):
    """Keyed by task: the window. Main output: sink frames (receipts of late and failed updates).

    A task's window is mirrored in memory: crossing into Flink's state costs more than all decisions about an update.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, ctx: Any) -> None:
        self._window = ctx.get_state(ValueStateDescriptor("window", Types.PICKLED_BYTE_ARRAY()))
        self._round = ctx.get_state(ValueStateDescriptor("round", Types.PICKLED_BYTE_ARRAY()))
        self._admitted = ctx.get_list_state(ListStateDescriptor("admitted", Types.PICKLED_BYTE_ARRAY()))
        self._held = ctx.get_list_state(ListStateDescriptor("held", Types.PICKLED_BYTE_ARRAY()))
        self._shard_keys = shard_keys(self._settings.partitions, self._settings.parallelism, MAX_PARALLELISM)
        self._mirror: dict[str, window.Window] = {}
        self._first_deadline_ms = _now_ms() + self._settings.parking_ms
        self._admits: list[bytes] = []
        """Admitted by the message in hand, not yet written: one write and one message to a shard take them all."""

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
        before = after = self._mirror.get(task) or self._stored()
        for event, encoded in events:
            after = yield from self._step(after, event, encoded, now_ms, ctx)
        yield from self._write_admitted(after.round)
        if after is not before:
            self._window.update(after.dump())
        if after.round is not before.round:
            self._round.update(encode(after.round))
        self._mirror[task] = after

    def _stored(self) -> window.Window:
        stored, round_ = self._window.value(), self._round.value()
        return window.Window.load(stored, decoded_round(bytes(round_)) if round_ is not None else None)

    def _step(
        self, state: window.Window, event: Any, encoded: bytes, now_ms: int, ctx: Any
    ) -> Generator[Any, None, window.Window]:
        state, effects = window.step(state, event, now_ms, arrival_wait_ms=self._settings.arrival_wait_ms)
        for effect in effects:
            match effect:
                case window.Release():
                    held = [bytes(data) for data in self._held.get()]
                    self._held.clear()
                    for data in held:
                        state = yield from self._step(state, decode(data, AcceptedUpdate), data, now_ms, ctx)
                case window.WakeAt(at_ms):
                    ctx.timer_service().register_processing_time_timer(at_ms)
                case window.Admit():
                    self._admits.append(encoded)
                case window.Hold():
                    self._held.add(encoded)
                case _:
                    yield from self._write_admitted(state.round)
                    yield from self._perform(effect)
        return state

    def _perform(self, effect: window.Effect) -> Iterator[Any]:
        match effect:
            case window.Begin(round_):
                if selection.adds_as_they_come(round_):
                    yield from self._to_shards(TO_COMBINE, Begin(encode(round_)))
            case window.HoldAdmitted():
                self._held.update([*self._take_admitted(), *(bytes(data) for data in self._held.get())])
            case window.Late(update):
                yield from receipt_frames(self._settings, update, Outcome.LATE)
            case window.GiveBack():
                for data in self._take_admitted():
                    yield from receipt_frames(self._settings, decode(data, AcceptedUpdate), Outcome.ROUND_FAILED)
            case window.Fail(round_, num_updates):
                reason = f"{num_updates} updates are less than the quorum of {round_.quorum}"
                place = Place(round_.round, round_.attempt)
                yield TO_KEEPER, RoundFailed(place, num_updates, reason).packed(round_.task)
            case window.Close(round_):
                admitted = self._take_admitted()
                updates = [decode(data, AcceptedUpdate) for data in admitted]
                encoded = {update.record_sha256: data for update, data in zip(updates, admitted, strict=True)}
                ordered = tuple(encoded[update.record_sha256] for update in selection.in_order(updates))
                encoded_round = encode(round_)
                if selection.needs_measurement(round_):
                    yield from self._to_shards(TO_MEASURE, MeasureRound(encoded_round, ordered))
                yield TO_SELECT, Closed(encoded_round, ordered).packed(f"{round_.task}/{round_.round}")

    def _write_admitted(self, round_: Round | None) -> Iterator[Any]:
        """What was admitted to this round: into state, and to the shards where the rule lets them add at once."""
        if not self._admits or round_ is None:
            return
        admits, self._admits = self._admits, []
        self._admitted.add_all(admits)
        if selection.adds_as_they_come(round_):
            place = Place(round_.round, round_.attempt)
            yield from self._to_shards(TO_COMBINE, Add(round_.task, place, tuple(admits)))

    def _take_admitted(self) -> list[bytes]:
        admitted = [bytes(data) for data in self._admitted.get()]
        self._admitted.clear()
        return admitted

    def _to_shards(self, tag: OutputTag, message: Message) -> Iterator[Any]:
        parts = message.parts()
        for key in self._shard_keys:
            yield tag, pack(key, message.kind, parts)


def _now_ms() -> int:
    return int(time.time() * 1000)
