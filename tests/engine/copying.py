"""Flink functions of the adapter test: in a module of their own, because the engine imports them by name."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, ProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor

from pipelines.flink.bundles import Kind, pack_bundle, parse_sources
from pipelines.flink.frames import parse_source, sink_frame

FAIL_AFTER = 30


def varied_headers(number: int) -> list[tuple[str, bytes]]:
    """Headers that come and go, move, come twice, are empty or large, and now and then far more of them."""
    headers = [("same", b"same"), ("often", b"%d" % (number // 4)), ("empty", b""), ("same", b"%d" % (number % 2))]
    if number % 3 == 0:
        headers.insert(1, ("now and then", bytes(number)))
    if number % 7 == 0:
        headers += [(f"many-{place}", b"x" * place * number) for place in range(40)]
    return headers[number % 2 :]


class CopyWithOneFailure(ProcessFunction):
    """Sends each record on with its source position as headers, and fails once, with checkpoints behind it."""

    def __init__(self, topic: str, empty_topic: str, *, fail: bool = True) -> None:
        self._topic, self._empty_topic, self._fail = topic, empty_topic, fail

    def open(self, runtime_context: RuntimeContext) -> None:
        self._attempt = runtime_context._runtime_context.getTaskInfo().getAttemptNumber()
        self._count = 0

    def process_element(self, value: bytes, ctx: ProcessFunction.Context) -> Iterator[bytes]:
        self._count += 1
        time.sleep(0.02)
        if self._fail and self._attempt == 0 and self._count == FAIL_AFTER:
            raise RuntimeError("the failure that the test asks for")
        record = parse_source(value)
        headers = [(name, str(getattr(record, name)).encode()) for name in ("partition", "offset", "timestamp_ms")]
        topic = self._topic if record.value else self._empty_topic
        yield sink_frame(topic, record.key, record.value or None, headers)


class CopyBundlesWithOneFailure(KeyedProcessFunction):
    """Sends the records of each bundle on in one bundle, with their lane and their number in it, and fails once."""

    def __init__(self, topic: str, mark: Path) -> None:
        self._topic, self._mark = topic, mark

    def open(self, runtime_context: RuntimeContext) -> None:
        self._numbers = runtime_context.get_map_state(MapStateDescriptor("numbers", Types.STRING(), Types.LONG()))
        self._count = 0

    def process_element(self, value: bytes, ctx: KeyedProcessFunction.Context) -> Iterator[bytes]:
        time.sleep(0.02)
        frames = []
        for record in parse_sources(bytes(value)):
            self._count += 1
            if self._count == FAIL_AFTER and not self._mark.exists():
                self._mark.touch()
                raise RuntimeError("the failure that the test asks for")
            number = self._numbers.get("next") or 0
            self._numbers.put("next", number + 1)
            headers = [("lane", ctx.get_current_key().encode()), ("number", str(number).encode())]
            headers += [(name, str(getattr(record, name)).encode()) for name in ("partition", "offset")]
            headers += varied_headers(record.offset)
            frames.append(sink_frame(self._topic, record.key, record.value, headers))
        yield pack_bundle(Kind.MESSAGES, [b"for nobody"])
        yield pack_bundle(Kind.SINK, frames)
