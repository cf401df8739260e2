"""Flink function that applies the rule of a round once everything it asks for has been measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor

from fluvial.wire.framing import encode
from pipelines.aggregation import selection
from pipelines.aggregation.streams import TO_KEEPER, round_and_updates
from pipelines.aggregation.task_state import contributions_json
from pipelines.config import Settings
from pipelines.flink.environment import MAX_PARALLELISM
from pipelines.flink.keys import shard_keys
from pipelines.flink.messages import pack, unpack


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
        total_weight = sum(contribution.effective_weight for contribution in contributions)
        body = json.dumps([total_weight, contributions_json(contributions)]).encode()
        yield TO_KEEPER, pack(round_.task, "selected", [about, body])
