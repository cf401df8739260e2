"""Flink function that keeps tasks: it performs what `keeper` decides, and holds the aggregator's key."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import ValueStateDescriptor

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.framing import decode
from fluvial.wire.records import ModelManifest, Outcome, PublishedModel, Receipt, Task
from pipelines.aggregation.rounds import task_life, task_state
from pipelines.aggregation.rounds.receipts import frames_of_receipt
from pipelines.config import Settings
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.frames import sink_frame
from pipelines.flink.messages import unpack

_log = logging.getLogger(__name__)


class KeepTask(KeyedProcessFunction):
    """Keyed by task: opens rounds and publishes models. Output: sink frames."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, ctx: Any) -> None:
        self._topics = self._settings.topics
        self._key = SigningKey.load(self._settings.keys_dir / "aggregator.pem")
        self._state = ctx.get_state(ValueStateDescriptor("task", Types.PICKLED_BYTE_ARRAY()))

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        _, kind, parts = unpack(bytes(value))
        now_ms = int(time.time() * 1000)
        stored = self._state.value()
        state = task_state.load(bytes(stored) if stored is not None else None)
        event = _event(kind, parts)
        if isinstance(event, Task) and (why := task_life.refusal(state, event)):
            _log.warning("the task %s is not taken as it was registered: %s", event.task, why)
            return
        state, effects = task_life.step(state, event, now_ms)
        if state is not None:
            self._state.update(task_state.dump(state))
        for effect in effects:
            match effect:
                case task_life.Announce(round_):
                    envelope = seal(round_, self._key, "aggregator")
                    yield sink_frame(self._topics.rounds, round_.task.encode(), envelope)
                case task_life.Publish(manifest):
                    yield from self._publish(manifest)
                case task_life.Record(event):
                    yield audit_frame(self._topics, event, now_ms)

    def _publish(self, manifest: ModelManifest) -> Iterator[bytes]:
        envelope = seal(manifest, self._key, "aggregator")
        yield sink_frame(self._topics.models, f"{manifest.task}/{manifest.version}".encode(), envelope)
        published = PublishedModel(
            task=manifest.task,
            version=manifest.version,
            round=manifest.round,
            attempt=manifest.attempt,
            model_digest=manifest.model_digest,
            manifest_sha256=sha256(envelope).digest(),
            num_selected=sum(contribution.selected for contribution in manifest.contributions),
            num_contributions=len(manifest.contributions),
        )
        yield audit_frame(self._topics, published, manifest.created_ms)
        for contribution in manifest.contributions:
            receipt = Receipt(
                task=manifest.task,
                round=contribution.round,
                attempt=manifest.attempt,
                participant=contribution.participant,
                update_id=contribution.update_id,
                outcome=Outcome.INCLUDED if contribution.selected else Outcome.EXCLUDED,
                version=manifest.version,
                weight=contribution.weight,
                model_digest=manifest.model_digest,
            )
            yield from frames_of_receipt(self._settings, receipt, manifest.created_ms)


def _event(kind: str, parts: list[bytes]) -> Any:
    match kind:
        case "task":
            return decode(parts[0], Task)
        case "selected":
            round_, attempt = json.loads(parts[0])
            total_weight, contributions = json.loads(parts[1])
            return task_life.Selected(round_, attempt, task_state.contributions_from_json(contributions), total_weight)
        case "shard":
            round_, attempt = json.loads(parts[0])
            return task_life.ShardDone(round_, attempt, task_state.chunks_from_json(parts[1]))
        case "failed" | "undecided":
            round_, attempt, num_updates = json.loads(parts[0])
            return task_life.RoundFailed(round_, attempt, num_updates, undecided=kind == "undecided")
    raise ValueError(f"no event of kind {kind!r}")
