"""Flink function that applies the rule of a round once everything it asks for has been measured."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor

from fluvial.wire.framing import encode
from fluvial.wire.records import AcceptedUpdate, Outcome, Round
from models.aggregation.plan import Plan
from pipelines.aggregation.operators.side_outputs import TO_KEEPER, TO_SINK, round_and_updates
from pipelines.aggregation.rounds.receipts import receipt_frames
from pipelines.aggregation.rounds.task_state import contributions_json
from pipelines.aggregation.rule import plan_message, selection
from pipelines.aggregation.shards.measuring import Measurements
from pipelines.config import Settings
from pipelines.flink.environment import MAX_PARALLELISM
from pipelines.flink.keys import shard_keys
from pipelines.flink.messages import pack, unpack

_log = logging.getLogger(__name__)


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
        round_, updates = round_and_updates(unpack(bytes(closed))[2])
        measured = [unpack(bytes(data))[2] for data in self._measured.get()]
        measured = [parts for parts in measured if json.loads(parts[0])["attempt"] == round_.attempt]
        if selection.needs_measurement(round_) and len(measured) < self._settings.partitions:
            return
        self._closed.clear()
        self._measured.clear()
        try:
            plan = selection.plan(round_, updates, _measurements(measured))
        except ValueError as error:
            _log.warning("%s, round %d: the rule cannot decide: %s", round_.task, round_.round, error)
            yield from self._undecided(round_, updates)
        else:
            yield from self._decided(round_, updates, plan)

    def _decided(self, round_: Round, updates: list[AcceptedUpdate], plan: Plan) -> Iterator[Any]:
        weights = plan.effective_weights
        taken = [encode(update) for update, weight in zip(updates, weights, strict=True) if weight]
        parts = [plan_message.dump(plan), encode(round_), *taken]
        for key in self._shard_keys:
            yield pack(key, "combine", parts)
        about = json.dumps([round_.round, round_.attempt]).encode()
        contributions = contributions_json(selection.contributions(updates, plan))
        yield TO_KEEPER, pack(round_.task, "selected", [about, json.dumps([plan.divisor, contributions]).encode()])

    def _undecided(self, round_: Round, updates: list[AcceptedUpdate]) -> Iterator[Any]:
        for update in updates:
            for frame in receipt_frames(self._settings, update, Outcome.ROUND_FAILED):
                yield TO_SINK, frame
        about = json.dumps([round_.round, round_.attempt, len(updates)]).encode()
        yield TO_KEEPER, pack(round_.task, "undecided", [about])


def _measurements(measured: list[list[bytes]]) -> Measurements:
    """What the shards measured, by chunk."""
    found: Measurements = {}
    for about, values in measured:
        told = json.loads(about)
        stacked = np.frombuffer(values, dtype="<f8").reshape(len(told["chunks"]), *told["shape"])
        found.update(zip(told["chunks"], stacked, strict=True))
    return found
