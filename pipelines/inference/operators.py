"""Flink function of inference: it opens and verifies requests, calls the logic, and writes results.

Results do not wait for a checkpoint: they are written at once, by a producer of the operator's own, and a restart may
write some of them again. A request's id makes the repeat harmless. What audit reads, a summary a minute, goes through
the job's exactly-once sink."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import ListStateDescriptor

from fluvial.identity.envelope import open_envelope, seal, verify_envelopes
from fluvial.identity.keys import SigningKey
from fluvial.kafka import connect
from fluvial.registry.view import VerifiedRegistry
from fluvial.wire.errors import DecodeError, TransportError
from fluvial.wire.framing import decode
from fluvial.wire.records import (
    Envelope,
    Failure,
    InferenceAnswer,
    InferenceRequest,
    InferenceStatus,
    ParticipantStatus,
    Variant,
)
from pipelines.config import Settings
from pipelines.flink import process_resources
from pipelines.flink.attempts import attempt_of
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.bundles import Kind, pack_bundle, parse_sources
from pipelines.flink.frames import SourceRecord, parse_source, source_frame
from pipelines.flink.manifests import read_chunks
from pipelines.flink.shared import ended_with
from pipelines.inference import logic
from pipelines.inference.minutes import Minute, minute_of
from pipelines.inference.quotas import Quotas
from pipelines.inference.serving import Serving

SIGNER = "aggregator"
"""Who signs results: the federation's service key, by its name."""

RETRY_MS = 50
"""Pause between two looks at requests that wait for a first release."""

_START_SECONDS = 30.0
_DEFAULT_DEADLINE_MS = 5_000
_log = logging.getLogger(__name__)


class Infer(KeyedProcessFunction):
    """Keyed by lane: bundles of requests in; results to their topic, summaries of each minute out."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ends: list[Callable[[], None]] = []

    def open(self, ctx: Any) -> None:
        settings, topics = self._settings, self._settings.topics
        self._key = SigningKey.load(settings.keys_dir / "aggregator.pem")
        resources = process_resources.acquire(settings, attempt_of(ctx))
        self._ends.append(ended_with(self, partial(process_resources.release, settings, attempt_of(ctx))))
        reader = resources.reader(topics.variant_blobs, "inference")

        def read(variant: Variant) -> bytes:
            return read_chunks(reader, variant.chunks)

        self._serving = Serving(
            lambda: connect(settings.brokers, "fluvial-inference"),
            topics,
            VerifiedRegistry(bytes.fromhex(settings.operator_key), bytes.fromhex(settings.registrar_key)),
            bytes.fromhex(settings.aggregator_key),
            read,
        )
        self._serving.start()
        self._ends.append(ended_with(self, self._serving.close))
        if not self._serving.ready(_START_SECONDS):
            _log.warning("registry and releases are not read to their end after %.0f s", _START_SECONDS)
        self._results = connect(settings.brokers, "fluvial-inference-results")
        self._ends.append(ended_with(self, self._results.close))
        self._quotas: dict[str, Quotas] = {}
        self._minutes: dict[str, Minute] = {}
        self._worker = f"{ctx._runtime_context.getTaskInfo().getIndexOfThisSubtask()}"
        self._waiting = ctx.get_list_state(ListStateDescriptor("waiting", Types.PICKLED_BYTE_ARRAY()))

    def close(self) -> None:
        while self._ends:
            self._ends.pop()()

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        records = parse_sources(bytes(value))
        waiting = self._answer(self._opened(records), _now_ms())
        if waiting:
            self._waiting.add_all([source_frame(record) for record in waiting])
            ctx.timer_service().register_processing_time_timer(_now_ms() + RETRY_MS)
        yield from self._summaries(_now_ms())

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[bytes]:
        records = [parse_source(bytes(data)) for data in self._waiting.get() or ()]
        waiting = self._answer(self._opened(records), _now_ms(), waited=True)
        self._waiting.update([source_frame(record) for record in waiting])
        if waiting:
            ctx.timer_service().register_processing_time_timer(_now_ms() + RETRY_MS)
        yield from self._summaries(_now_ms())

    def set_aside(self, value: bytes, ctx: Any, failure: Failure) -> Iterator[bytes]:
        """A request that every call with it has failed on: its caller is told."""
        self._give_up(parse_sources(bytes(value)), failure)
        return iter(())

    def timer_set_aside(self, timestamp: int, ctx: Any, failure: Failure) -> Iterator[bytes]:
        """Requests that wait, one by one: where that raises too, the caller is told."""
        waiting: list[SourceRecord] = []
        for record in [parse_source(bytes(data)) for data in self._waiting.get() or ()]:
            try:
                waiting += self._answer(self._opened([record]), _now_ms(), waited=True)
            except TransportError:
                raise
            except Exception:
                _log.exception("requests/%d@%d cannot be answered", record.partition, record.offset)
                self._give_up([record], failure)
        self._waiting.update([source_frame(record) for record in waiting])
        if waiting:
            ctx.timer_service().register_processing_time_timer(_now_ms() + RETRY_MS)
        return iter(())

    def _give_up(self, records: Sequence[SourceRecord], failure: Failure) -> None:
        """Answer that there is no answer. What cannot even be opened has no caller who could be told."""
        for record in records:
            try:
                for _, asked in self._opened([record]):
                    why = f"no answer could be computed for this request: {failure.error}"
                    refused = logic.refusal(asked.request, InferenceStatus.BAD_INPUT, why)
                    self._write(asked.request.task, None, [(asked, refused)], _now_ms())
            except TransportError:
                raise
            except Exception:
                _log.exception("requests/%d@%d has no answer", record.partition, record.offset)

    def _opened(self, records: Sequence[SourceRecord]) -> list[tuple[SourceRecord, logic.Asked]]:
        """The requests that an enrolled participant signed. What nobody vouches for has no answer: it is told and
        left."""
        claimed: list[tuple[SourceRecord, Envelope]] = []
        keys: list[tuple[Envelope, bytes]] = []
        for record in records:
            try:
                envelope = open_envelope(record.value)
            except DecodeError as error:
                _log.warning("requests/%d@%d is no request: %s", record.partition, record.offset, error)
                continue
            caller = self._serving.registry.participant(envelope.signatures[0].keyid)
            if caller is None or caller.status is not ParticipantStatus.ACTIVE:
                _log.warning("requests/%d@%d is of nobody who is enrolled", record.partition, record.offset)
                continue
            claimed.append((record, envelope))
            keys.append((envelope, caller.public_key))
        signed = verify_envelopes(keys)
        return [
            (record, logic.Asked(request=request, arrived_ms=record.timestamp_ms))
            for (record, envelope), good in zip(claimed, signed, strict=True)
            if good and (request := _request(record, envelope)) is not None
        ]

    def _answer(
        self, opened: Sequence[tuple[SourceRecord, logic.Asked]], now_ms: int, *, waited: bool = False
    ) -> list[SourceRecord]:
        """Answer what can be; the records that wait for a release. waited: these have waited for one already."""
        by_task: dict[str, list[tuple[SourceRecord, logic.Asked]]] = {}
        for record, asked in opened:
            by_task.setdefault(asked.request.task, []).append((record, asked))
        waiting: list[SourceRecord] = []
        for task, of_task in by_task.items():
            model, spec = self._serving.model(task), self._serving.spec(task)
            answers: list[tuple[logic.Asked, InferenceAnswer]] = []
            runnable: list[logic.Asked] = []
            for record, asked in of_task:
                limit_ms = spec.batching.deadline_ms if spec is not None else _DEFAULT_DEADLINE_MS
                deadline_ms = asked.request.deadline_ms or asked.arrived_ms + limit_ms
                if spec is None:
                    status, why = InferenceStatus.UNKNOWN_TASK, "no such task, or it serves no model"
                elif now_ms > deadline_ms:
                    status, why = InferenceStatus.EXPIRED, "the deadline passed before the request was looked at"
                    if model is None or waited:
                        status, why = InferenceStatus.NO_RELEASE, "no variant is promoted for this class of processors"
                elif model is None:
                    waiting.append(record)
                    continue
                elif not self._within_quota(task, spec.batching.examples_per_minute, asked, now_ms):
                    status, why = InferenceStatus.OVER_QUOTA, "more examples in a minute than the task allows a caller"
                else:
                    runnable.append(asked)
                    continue
                answers.append((asked, logic.refusal(asked.request, status, why)))
            if model is not None and spec is not None:
                answers += logic.answered(model, runnable, spec.batching.max_batch)
            if answers:
                self._write(task, model, answers, _now_ms())
        return waiting

    def _within_quota(self, task: str, per_minute: int, asked: logic.Asked, now_ms: int) -> bool:
        quotas = self._quotas.setdefault(task, Quotas(per_minute))
        return quotas.take(asked.request.caller, asked.request.shape[0] if asked.request.shape else 1, now_ms)

    def _write(
        self, task: str, model: logic.Model | None, answers: list[tuple[logic.Asked, InferenceAnswer]], now_ms: int
    ) -> None:
        minute = self._minutes.setdefault(task, Minute(task=task, worker=self._worker, minute_ms=minute_of(now_ms)))
        for asked, answer in answers:
            minute.add(asked, answer, now_ms)
        topic = self._settings.topics.results
        partitions = self._settings.partitions
        for partition, results in logic.results(task, model, answers, now_ms):
            record = seal(results, self._key, SIGNER)
            minute.add_results(record, model)
            self._results.produce(topic, record, key=task.encode(), partition=partition % partitions)

    def _summaries(self, now_ms: int) -> Iterator[bytes]:
        """Of the minutes that are over."""
        over = [task for task, minute in self._minutes.items() if minute.minute_ms != minute_of(now_ms)]
        frames = [audit_frame(self._settings.topics, self._minutes.pop(task).summary(), now_ms) for task in over]
        if frames:
            for quotas in self._quotas.values():
                quotas.forget(now_ms)
            yield pack_bundle(Kind.SINK, frames)


def _now_ms() -> int:
    return int(time.time() * 1000)


def _request(record: SourceRecord, envelope: Envelope) -> InferenceRequest | None:
    """What the caller signed; None, and a line in the job's log, for anything else than a request of its own."""
    try:
        request = decode(envelope.payload, InferenceRequest)
    except DecodeError as error:
        _log.warning("requests/%d@%d is no request: %s", record.partition, record.offset, error)
        return None
    return request if request.caller == envelope.signatures[0].keyid else None
