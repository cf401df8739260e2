"""Flink functions of aggregation: they keep state, set timers and carry out the effects that the logic decides."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any

import numpy as np
from pyflink.common import Types
from pyflink.datastream import FlatMapFunction, KeyedProcessFunction, MapFunction, OutputTag
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor

from fluvial.identity.envelope import unseal
from fluvial.wire.errors import FluvialError
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import AcceptedUpdate, Outcome, Receipt, Round, RoundStatus
from pipelines.aggregation import selection, window
from pipelines.aggregation.shards import Shard
from pipelines.aggregation.task_state import chunks_json, contributions_json
from pipelines.config import Settings
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.blobs import BlobWriter, shared_reader
from pipelines.flink.digests import CHECKED
from pipelines.flink.environment import MAX_PARALLELISM
from pipelines.flink.frames import parse_source, sink_frame
from pipelines.flink.graph import BYTES
from pipelines.flink.keys import shard_keys
from pipelines.flink.messages import pack, unpack

TO_MEASURE = OutputTag("to-measure", BYTES)
TO_COMBINE = OutputTag("to-combine", BYTES)
TO_SELECT = OutputTag("to-select", BYTES)
TO_KEEPER = OutputTag("to-keeper", BYTES)

BATCH_MS = 100
"""Wait of an admitted update before a shard reads it. Timers are rounded, so that a batch has one."""

_log = logging.getLogger(__name__)


@lru_cache(maxsize=64)
def _round(data: bytes) -> Round:
    """Decoded rounds, by their bytes: a round of many chunks takes longer to decode than all else in a step."""
    return decode(data, Round)


class RoundToMessage(FlatMapFunction):
    """Open rounds of topic rounds, verified, for the window of their (task, round)."""

    def __init__(self, settings: Settings) -> None:
        self._aggregator_key = bytes.fromhex(settings.aggregator_key)

    def flat_map(self, value: bytes) -> Iterator[bytes]:
        record = parse_source(bytes(value))
        try:
            round_ = unseal(record.value, Round, self._aggregator_key)
        except FluvialError as error:
            _log.warning("rounds/%d@%d is not trusted: %s", record.partition, record.offset, error)
            return
        if round_.status is RoundStatus.OPEN:
            yield pack(f"{round_.task}/{round_.round}", "round", [encode(round_)])


class AcceptedToMessage(MapFunction):
    """Records of topic accepted, for the window of their (task, round)."""

    def map(self, value: bytes) -> bytes:
        record = parse_source(bytes(value))
        return pack((record.key or b"").decode(), "accepted", [record.value])


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
        event = _round(parts[0]) if kind == "round" else decode(parts[0], AcceptedUpdate)
        yield from self._step(event, ctx)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        yield from self._step(window.Deadline(), ctx)

    def _step(self, event: Any, ctx: Any) -> Iterator[Any]:
        stored, round_ = self._window.value(), self._round.value()
        before = window.Window.load(stored, _round(bytes(round_)) if round_ is not None else None)
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


class _OnShards(KeyedProcessFunction):
    """Keyed by shard. No Flink state: what a shard has accumulated is a cache over the log."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, ctx: Any) -> None:
        settings, topics = self._settings, self._settings.topics
        timeout_ms = settings.read_timeout_ms
        updates = shared_reader(
            settings.bootstrap_servers,
            topics.update_blobs,
            purpose=f"aggregation {type(self).__name__}",
            cache_bytes=settings.chunk_cache_bytes,
            timeout_ms=timeout_ms,
        )
        models = shared_reader(
            settings.bootstrap_servers, topics.model_blobs, purpose="aggregation", cache_bytes=0, timeout_ms=timeout_ms
        )
        keys = shard_keys(settings.partitions, settings.parallelism, MAX_PARALLELISM)
        self._shards = {
            key: Shard(
                shard, settings.partitions, updates.chunk, models.chunk, partial(CHECKED.matches, topics.update_blobs)
            )
            for shard, key in enumerate(keys)
        }


class Measure(_OnShards):
    """First pass of rules that compare updates: partial Gram matrices, by chunk."""

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        key, _, parts = unpack(bytes(value))
        round_, updates = _round_and_updates(parts)
        grams = self._shards[key].measure(round_, updates)
        about = json.dumps({"attempt": round_.attempt, "chunks": sorted(grams)}).encode()
        matrices = b"".join(grams[index].astype("<f8").tobytes() for index in sorted(grams))
        yield pack(f"{round_.task}/{round_.round}", "measured", [about, matrices])


class Select(KeyedProcessFunction):
    """Keyed by task/round: applies the rule once the measurements of all shards are there."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, ctx: Any) -> None:
        self._closed = ctx.get_state(ValueStateDescriptor("closed", Types.PICKLED_BYTE_ARRAY()))
        self._measured = ctx.get_list_state(ListStateDescriptor("measured", Types.PICKLED_BYTE_ARRAY()))
        self._shard_keys = shard_keys(self._settings.partitions, self._settings.parallelism, MAX_PARALLELISM)

    def process_element(self, value: bytes, ctx: Any) -> Iterator[Any]:
        message = bytes(value)
        if unpack(message)[1] == "closed":
            self._closed.update(message)
        else:
            self._measured.add(message)
        closed = self._closed.value()
        if closed is None:
            return
        round_, updates = _round_and_updates(unpack(bytes(closed))[2])
        measured = [unpack(bytes(data))[2] for data in self._measured.get()]
        measured = [parts for parts in measured if json.loads(parts[0])["attempt"] == round_.attempt]
        if selection.needs_measurement(round_) and len(measured) < self._settings.partitions:
            return
        self._closed.clear()
        self._measured.clear()
        grams: dict[int, Any] = {}
        for about, matrices in measured:
            chunks = json.loads(about)["chunks"]
            stacked = np.frombuffer(matrices, dtype="<f8").reshape(len(chunks), len(updates), len(updates))
            grams.update(zip(chunks, stacked, strict=True))
        contributions = selection.select(round_, updates, grams)
        chosen = [update for update, entry in zip(updates, contributions, strict=True) if entry.selected]
        parts = [encode(round_), *(encode(update) for update in chosen)]
        for key in self._shard_keys:
            yield pack(key, "combine", parts)
        about = json.dumps([round_.round, round_.attempt]).encode()
        body = json.dumps(contributions_json(contributions)).encode()
        yield TO_KEEPER, pack(round_.task, "selected", [about, body])


class Combine(_OnShards):
    """Second pass, and the only one of linear rules: sums, and the chunks of the new model."""

    def open(self, ctx: Any) -> None:
        super().open(ctx)
        self._writer = BlobWriter(
            self._settings.bootstrap_servers,
            self._settings.topics.model_blobs,
            timeout_ms=self._settings.read_timeout_ms,
        )

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        key, kind, parts = unpack(bytes(value))
        shard = self._shards[key]
        if kind == "begin":
            shard.begin(_round(parts[0]))
        elif kind == "add":
            shard.add(decode(parts[0], AcceptedUpdate))
            # Updates that come together are read together.
            ctx.timer_service().register_processing_time_timer((int(time.time() * 1000) // BATCH_MS + 2) * BATCH_MS)
        else:
            round_, updates = _round_and_updates(parts)
            chunks = shard.combine(round_, updates, self._writer)
            about = json.dumps([round_.round, round_.attempt]).encode()
            yield pack(round_.task, "shard", [about, chunks_json(chunks)])

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[bytes]:
        self._shards[ctx.get_current_key()].accumulate()
        return iter(())


def _round_and_updates(parts: list[bytes]) -> tuple[Round, list[AcceptedUpdate]]:
    return _round(parts[0]), [decode(part, AcceptedUpdate) for part in parts[1:]]


def receipt_frames(settings: Settings, update: AcceptedUpdate, outcome: Outcome) -> Iterator[bytes]:
    """Sink frames of a receipt for an update that became part of no model."""
    receipt = Receipt(
        task=update.task,
        round=update.round,
        attempt=update.attempt,
        participant=update.participant,
        update_id=update.update_id,
        outcome=outcome,
        version=0,
        weight=update.weight,
        model_digest=b"",
    )
    yield from frames_of_receipt(settings, receipt, update.source_timestamp_ms)


def frames_of_receipt(settings: Settings, receipt: Receipt, time_ms: int) -> Iterator[bytes]:
    encoded, topics = encode(receipt), settings.topics
    yield sink_frame(topics.receipts, receipt.participant.encode(), encoded)
    yield audit_frame(topics, receipt, time_ms)
