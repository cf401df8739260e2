"""Flink functions of the adapter test: in a module of their own, because the engine imports them by name."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pyflink.datastream import ProcessFunction, RuntimeContext

from pipelines.flink.frames import parse_source, sink_frame

FAIL_AFTER = 30


class CopyWithOneFailure(ProcessFunction):
    """Sends each record on with its source position as headers, and fails once, with checkpoints behind it."""

    def __init__(self, topic: str, empty_topic: str) -> None:
        self._topic, self._empty_topic = topic, empty_topic

    def open(self, runtime_context: RuntimeContext) -> None:
        self._attempt = runtime_context._runtime_context.getTaskInfo().getAttemptNumber()
        self._count = 0

    def process_element(self, value: bytes, ctx: ProcessFunction.Context) -> Iterator[bytes]:
        self._count += 1
        time.sleep(0.02)
        if self._attempt == 0 and self._count == FAIL_AFTER:
            raise RuntimeError("the failure that the test asks for")
        record = parse_source(value)
        headers = [(name, str(getattr(record, name)).encode()) for name in ("partition", "offset", "timestamp_ms")]
        topic = self._topic if record.value else self._empty_topic
        yield sink_frame(topic, record.key, record.value or None, headers)
