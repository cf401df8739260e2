"""Flink function of evaluation: an inference step for each published model, on the task's evaluation set."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor

from fluvial.edge.packages import Packages
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import Failure, ModelManifest, Release, Task
from pipelines.config import Settings
from pipelines.evaluation import loading, logic
from pipelines.evaluation.held_out import participants_metrics
from pipelines.evaluation.logic import Measured, Turn
from pipelines.evaluation.measuring import Measuring
from pipelines.flink import process_resources
from pipelines.flink.attempts import attempt_of
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.frames import sink_frame
from pipelines.flink.log_reader import SETTLE_SECONDS, decoded, read_to_end
from pipelines.flink.messages import unpack
from pipelines.flink.published_models import read_model
from pipelines.flink.shared import ended_with
from pipelines.flink.stage_mac import StageMac
from pipelines.registered_tasks import newest

_LOOK_MS = 100


class Evaluate(KeyedProcessFunction):
    """Keyed by task: measures each model once, in the order in which they come. Models wait for their task, and the
    first of a process for what measures them (`pipelines.evaluation.loading`).

    Output: sink frames of topic releases and their events.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ends: list[Callable[[], None]] = []

    def open(self, ctx: Any) -> None:
        settings = self._settings
        resources = process_resources.acquire(settings, attempt_of(ctx))
        self._ends.append(ended_with(self, partial(process_resources.release, settings, attempt_of(ctx))))
        reader = resources.reader(settings.topics.model_blobs, "evaluation")
        updates = resources.reader(settings.topics.updates, "held-out")
        self._measuring = Measuring(
            settings.repository_root,
            settings.device,
            partial(read_model, reader),
            Packages(settings.packages),
            partial(participants_metrics, updates.chunk),
        )
        self._log_says: dict[str, Measured] | None = None
        self._task = ctx.get_state(ValueStateDescriptor("task", Types.PICKLED_BYTE_ARRAY()))
        self._measured = ctx.get_state(ValueStateDescriptor("measured", Types.PICKLED_BYTE_ARRAY()))
        self._waiting = ctx.get_list_state(ListStateDescriptor("waiting", Types.PICKLED_BYTE_ARRAY()))

    def close(self) -> None:
        while self._ends:
            self._ends.pop()()

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        key, kind, parts = unpack(bytes(value))
        if kind == "task":
            self._task.update(newest(parts[0], self._task.value()))
        else:
            others_wait = any(True for _ in self._waiting.get() or ())
            self._waiting.add(parts[0])
            if others_wait and self._task.value() is not None:
                # A failure is laid to what is in hand, and would be another's: those that wait are the timer's.
                self._look_later(ctx)
                return
        yield from self._evaluate_waiting(key, ctx)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[bytes]:
        yield from self._evaluate_waiting(ctx.get_current_key(), ctx)

    def timer_set_aside(self, timestamp: int, ctx: Any, failure: Failure) -> Iterator[bytes]:
        """Models that waited and cannot be measured are passed over."""
        self._waiting.clear()
        yield from ()

    def _evaluate_waiting(self, task: str, ctx: Any) -> Iterator[bytes]:
        waiting = [bytes(data) for data in self._waiting.get() or ()]
        if not waiting or self._task.value() is None:
            return
        if not loading.of_evaluation.is_done():
            self._look_later(ctx)
            return
        self._waiting.clear()
        for manifest in waiting:
            yield from self._evaluate(task, decode(manifest, ModelManifest))

    def _look_later(self, ctx: Any) -> None:
        ctx.timer_service().register_processing_time_timer(int(time.time() * 1000) + _LOOK_MS)

    def _evaluate(self, task: str, manifest: ModelManifest) -> Iterator[bytes]:
        stored = self._measured.value()
        measured = logic.load(bytes(stored)) if stored is not None else self._of_log(task)
        measured, turn = measured.take(manifest.version)
        release = self._release(turn, manifest)
        self._measured.update(logic.dump(measured))
        if release is None:
            return
        topics = self._settings.topics
        yield sink_frame(topics.releases, release.task.encode(), encode(release))
        yield audit_frame(topics, release, manifest.created_ms)

    def _release(self, turn: Turn, manifest: ModelManifest) -> Release | None:
        if turn is Turn.NOTHING:
            return None
        task = decode(bytes(self._task.value()), Task)
        measure = self._measuring.release if turn is Turn.FIRST else self._measuring.again
        return measure(task, manifest)

    def _of_log(self, task: str) -> Measured:
        """What the log says was measured of a task that this job knows nothing of; read once, when first asked."""
        if self._log_says is None:
            topic = self._settings.topics.releases
            records = read_to_end(self._settings.brokers, topic, settle_seconds=SETTLE_SECONDS)
            records = StageMac.load(self._settings.keys_dir).proven(topic, records)
            self._log_says = logic.of_log(release for _, release in decoded(records, Release, topic))
        return self._log_says.get(task, Measured())
