"""Flink function of inference: it opens and verifies requests, calls the logic, and writes results.

Results do not wait for a checkpoint: they are committed within milliseconds, in transactions of the operator's own and
under the job's lease (`results_writer`). A checkpoint waits for them, so what is read again after a restart is either
without an answer or has one that is found in the log (`answered`): each request is answered once, by one release. What
audit reads, a summary a minute, goes through the job's exactly-once sink.

The operator has no state of Flink's. Where nothing is released a request is told so at once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pyflink.datastream import KeyedProcessFunction

from fluvial.edge.packages import Packages
from fluvial.identity.envelope import check_kind, open_envelope, seal, verify_envelopes
from fluvial.identity.keys import SigningKey
from fluvial.kafka import connect
from fluvial.registry.view import VerifiedRegistry
from fluvial.wire.errors import DecodeError, TransportError
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import decode
from fluvial.wire.names import is_name
from fluvial.wire.records import (
    Envelope,
    Failure,
    InferenceAnswer,
    InferenceRequest,
    InferenceStatus,
    ParticipantStatus,
    Task,
    Variant,
)
from fluvial.wire.tally import Tally
from fluvial.wire.task_file import TaskFile
from pipelines.config import Settings
from pipelines.flink import log_reader, process_resources
from pipelines.flink.attempts import attempt_of
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.bundles import Kind, pack_bundle, parse_sources
from pipelines.flink.chunk_writer import subtask_of
from pipelines.flink.frames import SourceRecord
from pipelines.flink.leased_producer import leased_producer
from pipelines.flink.published_models import read_chunks
from pipelines.flink.shared import ended_with
from pipelines.inference import logic
from pipelines.inference.answered import Answered
from pipelines.inference.minutes import Minute, minute_of
from pipelines.inference.quotas import Quotas
from pipelines.inference.results_writer import CONFIG, ResultsWriter
from pipelines.inference.serving import Serving

SIGNER = "aggregator"
"""Who signs results: the federation's service key, by its name."""

_START_SECONDS = 30.0
_SWITCH_SECONDS = 0.0005
_DEFAULT_DEADLINE_MS = 5_000
_log = logger(__name__)


class Infer(KeyedProcessFunction):
    """Keyed by lane: bundles of requests in, empty ones before checkpoints; results to their topic, summaries of each
    minute out."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ends: list[Callable[[], None]] = []

    def open(self, ctx: Any) -> None:
        settings, topics = self._settings, self._settings.topics
        self._signer, self._opened_ms = bytes.fromhex(settings.aggregator_key), _now_ms()
        self._key = SigningKey.load(settings.keys_dir / "aggregator.pem")
        resources = process_resources.acquire(settings, attempt_of(ctx))
        self._ends.append(ended_with(self, partial(process_resources.release, settings, attempt_of(ctx))))
        reader = resources.reader(topics.variant_blobs, "inference")
        self._quotas: dict[str, Quotas] = resources.part(dict, dict, name="quotas of inference")
        self._worker = f"{subtask_of(ctx)}"
        timeout_s = settings.read_timeout_ms / 1000
        # The thread that commits results takes its turns from this one, and there are several in a transaction.
        sys.setswitchinterval(_SWITCH_SECONDS)
        # Fences the worker before this one; only then the log tells all that it has answered.
        producer = leased_producer(settings, f"results-{self._worker}", CONFIG, timeout_s=timeout_s)
        self._results = ResultsWriter(producer, topics.results, timeout_s)
        self._ends.append(ended_with(self, self._results.close))
        self._answered = Answered(lambda since_ms: _results_since(settings, since_ms), self._signer, topics.scope)

        def read(variant: Variant) -> bytes:
            return read_chunks(reader, variant.chunks)

        self._serving = Serving(
            lambda: connect(settings.brokers, "fluvial-inference"),
            topics,
            VerifiedRegistry(bytes.fromhex(settings.operator_key), bytes.fromhex(settings.registrar_key), topics.scope),
            self._signer,
            read,
            partial(_module, Packages(settings.packages), settings.repository_root),
            settings.device,
        )
        self._serving.start()
        self._ends.append(ended_with(self, self._serving.close))
        if not self._serving.ready(_START_SECONDS):
            _log.warning("registry and releases are not read to their end after %.0f s", _START_SECONDS)
        self._minutes: list[Minute] = []
        self._skipped = Tally(_log)

    def close(self) -> None:
        while self._ends:
            self._ends.pop()()

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        records = parse_sources(bytes(value))
        if records:
            self._answer(self._opened(records), _now_ms())
        else:
            # A checkpoint comes: it must not cover requests whose answers are on their way.
            self._results.settle()
        yield from self._summaries(_now_ms())

    def set_aside(self, value: bytes, ctx: Any, failure: Failure) -> Iterator[bytes]:
        """A request that every call with it has failed on: its caller is told."""
        for record in parse_sources(bytes(value)):
            try:
                for asked in self._answered.unanswered(self._opened([record])):
                    why = f"no answer could be computed for this request: {failure.error}"
                    refused = logic.refusal(asked.request, InferenceStatus.BAD_INPUT, why)
                    self._write(asked.request.task, None, [(asked, refused)], _now_ms())
            except TransportError:
                raise
            except Exception:
                _log.exception("requests/%d@%d has no answer", record.partition, record.offset)
        return iter(())

    def _opened(self, records: Sequence[SourceRecord]) -> list[logic.Asked]:
        """The requests that an enrolled participant signed. What nobody vouches for has no answer: it is counted
        and left."""
        claimed: list[tuple[SourceRecord, Envelope]] = []
        keys: list[tuple[Envelope, bytes]] = []
        for record in records:
            try:
                envelope = open_envelope(record.value)
                check_kind(envelope, InferenceRequest, self._settings.topics.scope)
            except DecodeError as error:
                self._skipped.add(_where(record), f"no request: {error}")
                continue
            caller = self._serving.registry.participant(envelope.signatures[0].keyid)
            if caller is None or caller.status is not ParticipantStatus.ACTIVE:
                self._skipped.add(_where(record), "of nobody who is enrolled")
                continue
            claimed.append((record, envelope))
            keys.append((envelope, caller.public_key))
        signed = verify_envelopes(keys)
        return [
            logic.Asked(request=request, arrived_ms=record.timestamp_ms)
            for (record, envelope), good in zip(claimed, signed, strict=True)
            if good and (request := _request(record, envelope, self._skipped)) is not None
        ]

    def _answer(self, opened: Sequence[logic.Asked], now_ms: int) -> None:
        by_task: dict[str, list[logic.Asked]] = {}
        for asked in self._answered.unanswered(opened):
            by_task.setdefault(asked.request.task, []).append(asked)
        for task, of_task in by_task.items():
            model, spec = self._serving.model(task), self._serving.spec(task)
            answers: list[tuple[logic.Asked, InferenceAnswer]] = []
            runnable: list[logic.Asked] = []
            for asked in of_task:
                limit_ms = spec.batching.deadline_ms if spec is not None else _DEFAULT_DEADLINE_MS
                latest_ms = asked.arrived_ms + limit_ms
                deadline_ms = min(asked.request.deadline_ms or latest_ms, latest_ms)
                if spec is None:
                    status, why = InferenceStatus.UNKNOWN_TASK, "no such task, or it serves no model"
                elif model is None:
                    status, why = InferenceStatus.NO_RELEASE, self._serving.why_not()
                elif now_ms > deadline_ms:
                    status, why = InferenceStatus.EXPIRED, "the deadline passed before the request was looked at"
                elif not self._within_quota(task, spec.batching.examples_per_minute, asked, now_ms):
                    status, why = InferenceStatus.OVER_QUOTA, "more examples in a minute than the task allows a caller"
                else:
                    runnable.append(asked)
                    continue
                answers.append((asked, logic.refusal(asked.request, status, why)))
            if model is not None and spec is not None:
                answers += logic.answered(model, runnable, spec.batching.max_batch)
            self._write(task, model, answers, _now_ms())

    def _within_quota(self, task: str, per_minute: int, asked: logic.Asked, now_ms: int) -> bool:
        quotas = self._quotas.get(task)
        if quotas is None or quotas.per_minute != per_minute:
            quotas = self._quotas[task] = Quotas(per_minute)
        examples = max(1, asked.request.shape[0] if asked.request.shape else 1)
        return quotas.take(asked.request.caller, examples, now_ms)

    def _write(
        self, task: str, model: logic.Model | None, answers: list[tuple[logic.Asked, InferenceAnswer]], now_ms: int
    ) -> None:
        # Of what is no task there is no account: whoever asks would write the audit log.
        minute = None if self._serving.spec(task) is None else self._minute(task, now_ms)
        for asked, answer in answers:
            if minute is not None:
                minute.add(asked, answer, now_ms)
        records = []
        for partition, results in logic.results(task, model, answers, now_ms, self._worker):
            record = seal(results, self._key, SIGNER, self._settings.topics.scope)
            if minute is not None:
                minute.add_results(record, model)
            records.append((partition % self._settings.partitions, record))
        self._results.write(records)
        self._answered.remember((asked for asked, _ in answers), now_ms)

    def _minute(self, task: str, now_ms: int) -> Minute:
        """Of the answers that are dated now."""
        for minute in self._minutes:
            if minute.task == task and minute.minute_ms == minute_of(now_ms):
                return minute
        minute = Minute(task=task, worker=self._worker, minute_ms=minute_of(now_ms))
        if minute.minute_ms < self._opened_ms:
            # A worker of this number may have answered in this minute before it failed.
            minute.take_earlier(
                _results_since(self._settings, minute.minute_ms), self._signer, self._settings.topics.scope
            )
        self._minutes.append(minute)
        return minute

    def _summaries(self, now_ms: int) -> Iterator[bytes]:
        """Of the minutes that are over."""
        over = [minute for minute in self._minutes if minute.minute_ms < minute_of(now_ms)]
        frames = [audit_frame(self._settings.topics, minute.summary(), now_ms) for minute in over]
        self._minutes = [minute for minute in self._minutes if minute.minute_ms >= minute_of(now_ms)]
        if frames:
            for quotas in self._quotas.values():
                quotas.forget(now_ms)
            yield pack_bundle(Kind.SINK, frames)


def _module(packages: Packages, root: Path, record: Task) -> Any:
    # Torch takes seconds to load: only a stage that serves in it waits for it.
    from fluvial.edge.training.task_code import TaskCode

    return TaskCode.of(TaskFile.model_validate_json(record.specification), packages, root).module()


def _now_ms() -> int:
    return int(time.time() * 1000)


def _results_since(settings: Settings, since_ms: int) -> Iterator[SourceRecord]:
    topic = settings.topics.results
    start = log_reader.offsets_at(settings.brokers, topic, since_ms)
    return log_reader.read_to_end(settings.brokers, topic, start=start, settle_seconds=log_reader.SETTLE_SECONDS)


def _request(record: SourceRecord, envelope: Envelope, skipped: Tally) -> InferenceRequest | None:
    """What the caller signed; None for anything else than a request of its own. Its names
    come back in results and in the audit log. Its id is the record's key: so a copy of a request, which anybody may
    write, comes to the same worker."""
    try:
        request = decode(envelope.payload, InferenceRequest)
    except DecodeError as error:
        skipped.add(_where(record), f"no request: {error}")
        return None
    names = request.task, request.request_id
    own = request.caller == envelope.signatures[0].keyid and record.key == request.request_id.encode()
    if not own or not all(is_name(name) for name in names):
        skipped.add(_where(record), "no request of its signer")
        return None
    return request


def _where(record: SourceRecord) -> str:
    return f"requests/{record.partition}@{record.offset}"
