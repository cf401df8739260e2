"""Flink functions of promotion: they verify, call the gate's logic, sign and write. State is a cache over the log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, TypeVar

from pyflink.datastream import FlatMapFunction, KeyedProcessFunction

from fluvial.identity.envelope import check_kind, open_envelope, seal, unseal
from fluvial.identity.keys import SigningKey
from fluvial.registry.view import VerifiedRegistry
from fluvial.wire.errors import FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import Envelope, Measurement, OperatorAct, Promotion, Variant
from fluvial.wire.tally import Tally
from pipelines.config import Settings
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.frames import SourceRecord, parse_source, sink_frame
from pipelines.flink.log_reader import SETTLE_SECONDS, read_to_end
from pipelines.flink.messages import pack, unpack
from pipelines.flink.stage_mac import StageMac
from pipelines.promotion import logic
from pipelines.registered_tasks import acceleration_of

SIGNER = "aggregator"
"""Who signs promotions: the federation's service key, by its name."""

_log = logger(__name__)
T = TypeVar("T", Variant, Measurement, Promotion)
Claimed = TypeVar("Claimed", Measurement, OperatorAct)


class SignedToMessage(FlatMapFunction):
    """Records of topics variants and measurements that the federation's service key signed."""

    def __init__(self, settings: Settings, topic: str, kind: type[Variant] | type[Measurement]) -> None:
        self._key, self._topic = bytes.fromhex(settings.aggregator_key), topic
        self._scope = settings.topics.scope
        self._kind: type[Any] = kind
        self._skipped = Tally(_log)

    def flat_map(self, value: bytes) -> Iterator[bytes]:
        record = parse_source(bytes(value))
        content = _opened(record, self._topic, self._kind, self._key, self._scope, self._skipped)
        if content is not None:
            yield pack(content.task, self._topic, [encode(content), sha256(record.value).digest()])


class ActToMessage(FlatMapFunction):
    """Records of topic operator-acts, whose signatures are verified where the task's terms are known."""

    def __init__(self, settings: Settings) -> None:
        self._topic, self._scope = settings.topics.operator_acts, settings.topics.scope
        self._skipped = Tally(_log)

    def flat_map(self, value: bytes) -> Iterator[bytes]:
        record = parse_source(bytes(value))
        act = _claimed(record, self._topic, OperatorAct, self._scope, self._skipped)
        if act is not None:
            yield pack(act[1].task, "operator_acts", [record.value])


class AdmittedToMessage(FlatMapFunction):
    """Records of topic admitted-reports: that validation wrote them, which judged the participant's signature, is
    proven where they are read (`pipelines.topology.PROVEN`)."""

    def __init__(self, settings: Settings) -> None:
        self._topic, self._scope = settings.topics.admitted_reports, settings.topics.scope
        self._skipped = Tally(_log)

    def flat_map(self, value: bytes) -> Iterator[bytes]:
        record = parse_source(bytes(value))
        report = _claimed(record, self._topic, Measurement, self._scope, self._skipped)
        if report is not None:
            yield pack(report[1].task, "measurements", [encode(report[1]), sha256(record.value).digest()])


class Promote(KeyedProcessFunction):
    """Keyed by task: decides on variants. Output: sink frames of topic promotions and their events.

    The topics that it reads are small and kept for ever. What it knows of a task is in memory, and read again from
    their beginning when the operator starts, the registry first, which says whose acts count."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, ctx: Any) -> None:
        self._topics = self._settings.topics
        self._key = SigningKey.load(self._settings.keys_dir / "aggregator.pem")
        self._tasks: dict[str, logic.TaskPromotions] | None = None
        keys = bytes.fromhex(self._settings.operator_key), bytes.fromhex(self._settings.registrar_key)
        self._operator_key = keys[0]
        self._registry = VerifiedRegistry(*keys, self._topics.scope)
        self._skipped = Tally(_log)

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        task, kind, parts = unpack(bytes(value))
        if self._tasks is None:
            self._tasks = self._of_log()
        state = self._tasks.get(task, logic.TaskPromotions())
        match kind:
            case "task":
                self._register(f"task/{task}", parts[1])
                state = self._with_spec(state, task)
            case "variants":
                state = logic.with_variant(state, decode(parts[0], Variant))
            case "operator_acts":
                envelope = open_envelope(parts[0])
                act = decode(envelope.payload, OperatorAct)
                state = logic.with_act(state, sha256(parts[0]).digest(), envelope, act)
            case _:
                state = logic.with_measurement(state, decode(parts[0], Measurement), parts[1])
        state, decisions = logic.decide(state, int(time.time() * 1000))
        self._tasks[task] = state
        for promotion in decisions:
            yield sink_frame(
                self._topics.promotions, task.encode(), seal(promotion, self._key, SIGNER, self._topics.scope)
            )
            yield audit_frame(self._topics, promotion, promotion.created_ms)

    def _register(self, key: str, sealed: bytes) -> None:
        """Take in a record of the registry; copies and what is not genuine change nothing."""
        try:
            self._registry.apply(key, sealed)
        except FluvialError as error:
            self._skipped.add("a record of the registry", f"{key[:64]!r}: {error}")

    def _with_spec(self, state: logic.TaskPromotions, task: str) -> logic.TaskPromotions:
        record = self._registry.task(task)
        spec = None if record is None else acceleration_of(record)
        return logic.with_spec(state, spec, self._operator_key)

    def _of_log(self) -> dict[str, logic.TaskPromotions]:
        """What the log says of all tasks."""
        tasks: dict[str, logic.TaskPromotions] = {}
        skipped = Tally(_log)

        def known(task: str) -> logic.TaskPromotions:
            return tasks.get(task, logic.TaskPromotions())

        for record in read_to_end(self._settings.brokers, self._topics.registry, committed=False):
            key = (record.key or b"").decode(errors="replace")
            if key.startswith("task/") and record.value:
                self._register(key, record.value)
        for registered in self._registry.tasks():
            tasks[registered.task] = self._with_spec(known(registered.task), registered.task)
        for _, variant in self._records(self._topics.variants, Variant):
            tasks[variant.task] = logic.with_variant(known(variant.task), variant)
        for record, measurement in self._records(self._topics.measurements, Measurement):
            digest = sha256(record.value).digest()
            tasks[measurement.task] = logic.with_measurement(known(measurement.task), measurement, digest)
        topic = self._topics.admitted_reports
        mac = StageMac.load(self._settings.keys_dir)
        records = read_to_end(self._settings.brokers, topic, settle_seconds=SETTLE_SECONDS)
        for record in mac.proven(topic, records):
            report = _claimed(record, topic, Measurement, self._topics.scope, skipped)
            if report is not None:
                digest = sha256(record.value).digest()
                tasks[report[1].task] = logic.with_measurement(known(report[1].task), report[1], digest)
        for _, promotion in self._records(self._topics.promotions, Promotion):
            tasks[promotion.task] = logic.with_promotion(known(promotion.task), promotion)
        topic = self._topics.operator_acts
        for record in read_to_end(self._settings.brokers, topic, committed=False):
            opened = _claimed(record, topic, OperatorAct, self._topics.scope, skipped)
            if opened is not None:
                task = opened[1].task
                tasks[task] = logic.with_act(known(task), sha256(record.value).digest(), *opened)
        return tasks

    def _records(self, topic: str, kind: type[T]) -> Iterator[tuple[SourceRecord, T]]:
        key, skipped = bytes.fromhex(self._settings.aggregator_key), Tally(_log)
        for record in read_to_end(self._settings.brokers, topic, settle_seconds=SETTLE_SECONDS):
            content = _opened(record, topic, kind, key, self._topics.scope, skipped)
            if content is not None:
                yield record, content


def _claimed(
    record: SourceRecord, topic: str, kind: type[Claimed], scope: str, skipped: Tally
) -> tuple[Envelope, Claimed] | None:
    """What claims to be a record of this kind, its signature not verified; None for
    anything else."""
    try:
        envelope = open_envelope(record.value)
        check_kind(envelope, kind, scope)
        return envelope, decode(envelope.payload, kind)
    except FluvialError as error:
        skipped.add(f"{topic}/{record.partition}@{record.offset}", str(error))
        return None


def _opened(record: SourceRecord, topic: str, kind: type[T], public_key: bytes, scope: str, skipped: Tally) -> T | None:
    """What the federation's service key signed; None for anything else."""
    try:
        return unseal(record.value, kind, public_key, scope)
    except FluvialError as error:
        skipped.add(f"{topic}/{record.partition}@{record.offset}", str(error))
        return None
