"""Flink functions of the guard's test: in a module of their own, because the engine imports them by name."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ValueStateDescriptor

from fluvial.wire.records import Failure
from pipelines.flink.bundles import Kind, pack_bundle, parse_sources
from pipelines.flink.frames import sink_frame

POISON = b"poison"


class CountButRaise(KeyedProcessFunction):
    """Numbers the records of its lane by state, and raises after it has counted one that is poison."""

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def open(self, runtime_context: RuntimeContext) -> None:
        self._count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def process_element(self, value: bytes, ctx: KeyedProcessFunction.Context) -> Iterator[bytes]:
        frames = []
        for record in parse_sources(bytes(value)):
            time.sleep(0.01)  # so that there are checkpoints in between
            number = (self._count.value() or 0) + 1
            self._count.update(number)
            if record.value == POISON:
                raise KeyError("what it cannot stand")
            headers = [("number", str(number).encode()), ("place", f"{record.partition}@{record.offset}".encode())]
            frames.append(sink_frame(self._topic, record.key, record.value, headers))
        yield pack_bundle(Kind.SINK, frames)

    def set_aside(self, value: bytes, ctx: KeyedProcessFunction.Context, failure: Failure) -> Iterator[bytes]:
        (record,) = parse_sources(bytes(value))
        place = f"{record.partition}@{record.offset}".encode()
        yield pack_bundle(Kind.SINK, [sink_frame(self._topic, record.key, b"set aside", [("place", place)])])
