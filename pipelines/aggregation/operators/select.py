"""Flink function that applies the rule of a round once everything it asks for has been measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor

from fluvial.wire.foreign_text import logger
from fluvial.wire.records import AcceptedUpdate, Round
from models.aggregation.plan import Plan
from pipelines.aggregation.messages import (
    Closed,
    CombineRound,
    Measured,
    NotMeasured,
    Place,
    Selected,
    Undecided,
)
from pipelines.aggregation.operators.side_outputs import TO_KEEPER
from pipelines.aggregation.rule import selection
from pipelines.aggregation.shards.chunk_source import shards_of
from pipelines.config import Settings
from pipelines.flink.environment import max_parallelism
from pipelines.flink.keys import shard_keys
from pipelines.flink.messages import pack, unpack

_log = logger(__name__)


class Select(KeyedProcessFunction):
    """Keyed by task/round: applies the rule once all shards that have some of the model have measured."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, ctx: Any) -> None:
        self._closed = ctx.get_state(ValueStateDescriptor("closed", Types.PICKLED_BYTE_ARRAY()))
        self._measured = ctx.get_list_state(ListStateDescriptor("measured", Types.PICKLED_BYTE_ARRAY()))
        parallelism = self._settings.parallelism
        self._shard_keys = shard_keys(self._settings.partitions, parallelism, max_parallelism(parallelism))

    def process_element(self, value: bytes, ctx: Any) -> Iterator[Any]:
        message = bytes(value)
        if unpack(message)[1] == Closed.kind:
            self._closed.update(message)
        else:
            self._measured.add(message)
        stored = self._closed.value()
        if stored is None:
            return
        closed = Closed.of(unpack(bytes(stored))[2])
        place = Place(closed.round.round, closed.round.attempt)
        answers = [answer for answer in map(_answer, self._measured.get()) if answer.place == place]
        if selection.needs_measurement(closed.round) and len(answers) < len(self._shards(closed.round)):
            return
        self._closed.clear()
        self._measured.clear()
        updates = closed.updates
        try:
            plan = _plan(closed, updates, answers)
        except (ValueError, ArithmeticError) as error:
            _log.warning("%s, round %d: the rule cannot decide: %s", closed.round.task, place.round, error)
            undecided = Undecided(place, _without_content(updates), f"the rule cannot decide: {error}")
            yield TO_KEEPER, undecided.packed(closed.round.task)
        else:
            yield from self._decided(closed, place, updates, plan)

    def _decided(self, closed: Closed, place: Place, updates: Sequence[AcceptedUpdate], plan: Plan) -> Iterator[Any]:
        weights = plan.effective_weights
        taken = tuple(data for data, weight in zip(closed.encoded_updates, weights, strict=True) if weight)
        combine = CombineRound(closed.encoded_round, taken, plan)
        parts = combine.parts()
        for shard in self._shards(closed.round):
            yield pack(self._shard_keys[shard], combine.kind, parts)
        selected = Selected(place, _without_content(updates), weights, plan.divisor)
        yield TO_KEEPER, selected.packed(closed.round.task)

    def _shards(self, round_: Round) -> list[int]:
        return shards_of(round_, len(self._shard_keys))


def _plan(closed: Closed, updates: Sequence[AcceptedUpdate], answers: Sequence[Measured | NotMeasured]) -> Plan:
    """Raises ValueError where a shard could not measure, or the rule cannot decide."""
    measurements = {}
    for answer in answers:
        if isinstance(answer, NotMeasured):
            raise ValueError(answer.reason)
        measurements.update(answer.measurements)
    return selection.plan(closed.round, updates, measurements)


def _answer(stored: bytes) -> Measured | NotMeasured:
    _, kind, parts = unpack(bytes(stored))
    return NotMeasured.of(parts) if kind == NotMeasured.kind else Measured.of(parts)


def _without_content(updates: Sequence[AcceptedUpdate]) -> tuple[AcceptedUpdate, ...]:
    return tuple(replace(update, inline=None, chunks=(), scales=()) for update in updates)
