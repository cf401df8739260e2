"""A Flink function that shares what a process has, and tells what is there: in a module of its own, because the engine
imports it by name."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial

from pyflink.datastream import ProcessFunction, RuntimeContext

from fluvial.wire.records import ChunkReference
from pipelines.config import Settings
from pipelines.flink import process_resources
from pipelines.flink.attempts import attempt_of
from pipelines.flink.frames import parse_source, sink_frame
from pipelines.flink.shared import ended_with

POISON = b"poison"


class Waiter:
    """A thread that waits for its end, as those of content checks do."""

    def __init__(self, name: str) -> None:
        self._ended = threading.Event()
        self.thread = threading.Thread(target=self._ended.wait, name=name, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self._ended.set()
        self.thread.join(10)


class Share(ProcessFunction):
    """Answers each record with the attempts, threads and own writers that the process has. Its first attempt raises on
    poison."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, runtime_context: RuntimeContext) -> None:
        self._attempt = attempt_of(runtime_context)
        resources = process_resources.acquire(self._settings, self._attempt)
        self.close = ended_with(self, partial(process_resources.release, self._settings, self._attempt))
        topics = self._settings.topics
        self._reader = resources.reader(topics.updates, "a test")
        self._writer = resources.writer(runtime_context, topics.model_blobs, "models")
        name = f"of {self._settings.submission} {self._attempt}"
        resources.part(Waiter, lambda: Waiter(name), Waiter.close)

    def process_element(self, value: bytes, ctx: ProcessFunction.Context) -> Iterator[bytes]:
        record = parse_source(value)
        reference = ChunkReference(partition=record.partition, offset=record.offset, length=1, sha256=b"")
        assert self._reader.chunk(reference) == record.value
        if record.value == POISON and self._attempt == 0:
            raise RuntimeError("the failure that the test asks for")
        self._writer.send(0, record.partition, record.key or b"", record.value)
        found = {
            "attempts": sorted((each.submission, each.number) for each in process_resources._processes._entries),
            "threads": sorted(each.name for each in threading.enumerate() if each.name.startswith("of ")),
            "written": list(self._writer.flush()),
        }
        yield sink_frame(self._settings.topics.verdicts, record.key, json.dumps(found).encode())
