"""Flink function of the window: it keeps state, sets timers and carries out the effects that `window` decides."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, OutputTag
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor

from fluvial.wire.framing import decode, encode
from fluvial.wire.records import AcceptedUpdate, Outcome, Round
from pipelines.aggregation import selection, window
from pipelines.aggregation.receipts import receipt_frames
from pipelines.aggregation.streams import TO_COMBINE, TO_KEEPER, TO_MEASURE, TO_SELECT, decoded_round
from pipelines.config import Settings
from pipelines.flink.environment import MAX_PARALLELISM
from pipelines.flink.keys import shard_keys
from pipelines.flink.messages import pack, unpack


class CollectRound(KeyedProcessFunction):
    """Keyed by task/round: the window. Main output: sink frames (receipts of late and failed updates)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, ctx: Any) -> None:
        self._window = ctx.get_state(ValueStateDescriptor("window", Types.PICKLED_BYTE_ARRAY()))
        self._round = ctx.get_state(ValueStateDescriptor("round", Types.PICKLED_BYTE_ARRAY()))
        self._admitted = ctx.get_list_state(ListStateDescriptor("admitted", Types.PICKLED_BYTE_ARRAY()))
        self._held = ctx.get_list_state(ListStateDescriptor("held", Types.PICKLED_BYTE_ARRAY()))
        self._shard_keys = shard_keys(self._settings.partitions, self._settings.parallelism, MAX_PARALLELISM)

    def process_element(self, value: bytes, ctx: Any) -> Iterator[Any]:
        _, kind, parts = unpack(bytes(value))
        event = decoded_round(parts[0]) if kind == "round" else decode(parts[0], AcceptedUpdate)
        yield from self._step(event, ctx)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        yield from self._step(window.Deadline(), ctx)

    def _step(self, event: Any, ctx: Any) -> Iterator[Any]:
        stored, round_ = self._window.value(), self._round.value()
        before = window.Window.load(stored, decoded_round(bytes(round_)) if round_ is not None else None)
        after, effects = window.step(before, event, int(time.time() * 1000), late_grace_ms=self._settings.late_grace_ms)
        if after is not before:
            self._window.update(after.dump())
        if after.round is not before.round:
            self._round.update(encode(after.round))
        for effect in effects:
            yield from self._perform(effect, after.round, ctx)

    def _perform(self, effect: window.Effect, current: Round | None, ctx: Any) -> Iterator[Any]:
        match effect:
            case window.Begin(round_):
                self._admitted.clear()
                if not selection.needs_measurement(round_):
                    yield from self._to_shards(TO_COMBINE, "begin", [encode(round_)])
            case window.WakeAt(at_ms):
                ctx.timer_service().register_processing_time_timer(at_ms)
            case window.Hold(update):
                self._held.add(encode(update))
            case window.AdmitHeld():
                held = [decode(bytes(data), AcceptedUpdate) for data in self._held.get()]
                self._held.clear()
                for update in held:
                    yield from self._step(update, ctx)
            case window.Admit(update):
                encoded = encode(update)
                self._admitted.add(encoded)
                if current is not None and not selection.needs_measurement(current):
                    yield from self._to_shards(TO_COMBINE, "add", [encoded])
            case window.Late(update):
                yield from receipt_frames(self._settings, update, Outcome.LATE)
            case window.Fail(round_):
                updates = self._take_admitted()
                for update in updates:
                    yield from receipt_frames(self._settings, update, Outcome.ROUND_FAILED)
                about = json.dumps([round_.round, round_.attempt, len(updates)]).encode()
                yield TO_KEEPER, pack(round_.task, "failed", [about])
            case window.Close(round_):
                updates = selection.in_order(self._take_admitted())
                parts = [encode(round_), *(encode(update) for update in updates)]
                if selection.needs_measurement(round_):
                    yield from self._to_shards(TO_MEASURE, "measure", parts)
                yield TO_SELECT, pack(f"{round_.task}/{round_.round}", "closed", parts)

    def _take_admitted(self) -> list[AcceptedUpdate]:
        updates = [decode(bytes(data), AcceptedUpdate) for data in self._admitted.get()]
        self._admitted.clear()
        return updates

    def _to_shards(self, tag: OutputTag, kind: str, parts: list[bytes]) -> Iterator[Any]:
        for key in self._shard_keys:
            yield tag, pack(key, kind, parts)
