"""Bad input never stops a job: each record gets its verdict, and state and model are as if it had never come."""

from __future__ import annotations

import hashlib
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from deploy.acts.first_model import ModelOfLayers
from deploy.acts.tasks import create_task, update_task
from deploy.bench.seeding import register
from deploy.federation.health_reading import HealthReading
from deploy.jobs.submission import LocalJob, Submission
from deploy.local.stack import Stack, running_stack
from fluvial.auditor.kept_log import KeptLog
from fluvial.auditor.reader import audited_topics
from fluvial.auditor.verify import verify
from fluvial.identity.envelope import pre_authentication_encoding, seal, unseal
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.kafka import connect, snapshot
from fluvial.registry.acts import OperatorActs
from fluvial.wire.framing import MAGIC, decode, encode
from fluvial.wire.layout import chunk_partition
from fluvial.wire.media_types import media_type
from fluvial.wire.records import (
    ChunkReference,
    Envelope,
    ModelManifest,
    ModelUpdate,
    Outcome,
    Receipt,
    Release,
    Round,
    RoundStatus,
    Signature,
    Verdict,
)
from fluvial.wire.task_file import TaskFile
from fluvial.wire.topics import Topics
from pipelines.flink.stage_mac import StageMac
from tests.system.invariants import assert_invariants
from tests.unit.fluvial.edge.training.any_data_files import data_file

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

PARTITIONS = 2
NUM_DATA_FILES = 16
PRODUCER = {"partitioner": "murmur2_random", "message.max.bytes": 4 << 20}
TASK = TaskFile.model_validate(
    {
        "task": "toy",
        "title": "A model of ten parameters",
        "model": {"architecture": "logistic_regression", "parameters": {"inputs": 4, "classes": 2}, "seed": 1},
        "rounds": 1,
        "quorum": 3,
        "target": 3,
        "deadline_seconds": 120,
        "chunk_elements": 4,
        "limits": {"max_abs": 2.0, "max_norm": 4.0, "max_weight": 100},
    }
)
DELTA = np.linspace(-0.5, 0.5, 10, dtype=np.float32)


@dataclass
class Sender:
    """Publishes chunks and envelopes as a participant would, or as it should not."""

    producer: Producer
    stack: Stack
    round: Round
    keys: dict[str, SigningKey]

    @property
    def scope(self) -> str:
        return self.stack.federation.topics.scope

    def chunks(self, delta: Any) -> tuple[ChunkReference, ...]:
        references: dict[int, ChunkReference] = {}
        for index in range(3):
            chunk = delta[index * 4 : index * 4 + 4].astype("<f4").tobytes()

            def placed(error: object, message: Message, index: int = index, chunk: bytes = chunk) -> None:
                assert error is None
                references[index] = ChunkReference(
                    partition=message.partition(),
                    offset=message.offset(),
                    length=len(chunk),
                    sha256=hashlib.sha256(chunk).digest(),
                )

            partition = chunk_partition("toy", index, PARTITIONS)
            self.producer.produce(
                self.stack.federation.topics.update_blobs, chunk, partition=partition, on_delivery=placed
            )
        self.producer.flush(30)
        return tuple(references[index] for index in range(3))

    def update(self, name: str, **changes: Any) -> ModelUpdate:
        round_ = self.round
        update = ModelUpdate(
            task="toy",
            round=1,
            attempt=1,
            participant=name,
            update_id=f"update of {name}"[:12].replace(" ", "-"),
            base_version=round_.base_version,
            base_digest=round_.base_digest,
            weight=10,
            encoding="float32",
            layout_digest=round_.layout_digest,
            scales=(),
            inline=None,
            chunks=changes.pop("chunks", None) or self.chunks(DELTA),
            created_ms=1,
        )
        return replace(update, **changes)

    def send(self, raw: bytes, key: str) -> None:
        self.producer.produce(self.stack.federation.topics.updates, raw, key=key)
        self.producer.flush(30)


def resigned(payload: bytes, key: SigningKey, keyid: str, scope: str) -> bytes:
    """An envelope with a true signature over bytes that are no ModelUpdate."""
    kind = media_type(ModelUpdate, scope)
    signature = key.sign(pre_authentication_encoding(kind, payload))
    return encode(
        Envelope(payload_type=kind, payload=payload, signatures=(Signature(keyid=keyid, signature=signature),))
    )


def with_value(value: float) -> Any:
    delta = DELTA.copy()
    delta[7] = value
    return delta


def bad_records(sender: Sender) -> Iterator[tuple[str, str, bytes]]:
    """(reason expected, Kafka key, raw record), all of or about the enrolled participants mallory, and eve, whose
    updates for the round are not looked at any more once three have failed."""
    key, scope = sender.keys["mallory"], sender.scope
    good = sender.update("mallory")
    sealed = seal(good, key, "mallory", scope)
    payload = encode(good)

    def changed(**changes: Any) -> bytes:
        return seal(replace(good, **changes), key, "mallory", scope)

    def eves(**changes: Any) -> bytes:
        return seal(replace(good, participant="eve", **changes), sender.keys["eve"], "eve", scope)

    def moved(change: Callable[[ChunkReference], ChunkReference]) -> bytes:
        return eves(chunks=(*good.chunks[:2], change(good.chunks[2])))

    yield "ENVELOPE", "mallory", b""
    yield "ENVELOPE", "mallory", b"garbage"
    yield "ENVELOPE", "mallory", sealed[:-5]
    yield "NON_CANONICAL", "mallory", sealed + b"\x00"
    yield "SIZE_LIMIT", "mallory", bytes(1_500_000)
    yield "SCHEMA_UNKNOWN", "mallory", resigned(MAGIC + bytes(8) + payload[10:], key, "mallory", scope)
    yield "DECODE", "mallory", resigned(payload[:-3], key, "mallory", scope)
    yield "NON_CANONICAL", "mallory", resigned(payload + b"\x00", key, "mallory", scope)
    yield "SIGNATURE", "mallory", seal(good, SigningKey.generate(), "mallory", scope)
    yield "OTHER_FEDERATION", "mallory", seal(good, key, "mallory")
    yield "OTHER_FEDERATION", "mallory", seal(good, key, "mallory", Topics("other.", "00" * 16).scope)
    yield "KEY_UNKNOWN", "nobody", seal(replace(good, participant="nobody"), key, "nobody", scope)
    yield "PARTICIPANT_MISMATCH", "alice", sealed
    yield "PARTICIPANT_MISMATCH", "mallory", seal(replace(good, participant="alice"), key, "mallory", scope)
    yield "TASK_UNKNOWN", "mallory", changed(task="other")
    yield "ROUND_UNKNOWN", "mallory", changed(round=9)
    yield "DECODE", "mallory", changed(round=0)
    yield "WRONG_BASE", "mallory", changed(base_digest=bytes(32))
    yield "MANIFEST_MISMATCH", "mallory", changed(layout_digest=bytes(32))
    yield "MANIFEST_MISMATCH", "mallory", changed(chunks=good.chunks[:2])
    yield "WEIGHT", "mallory", changed(weight=0)
    yield "WEIGHT", "mallory", changed(weight=101)
    yield "ENCODING", "mallory", changed(encoding="float8")
    yield "NON_FINITE", "mallory", changed(chunks=sender.chunks(with_value(float("-inf"))))
    yield "NORM_EXCEEDED", "mallory", changed(chunks=sender.chunks(np.full(10, 1.9, np.float32)))
    yield "INCOMPLETE", "eve", moved(lambda chunk: replace(chunk, offset=chunk.offset + 10_000))
    yield "CHUNK_MISMATCH", "eve", moved(lambda chunk: replace(chunk, sha256=bytes(32)))
    yield "MAGNITUDE_EXCEEDED", "eve", eves(chunks=sender.chunks(with_value(2.5)))
    yield "TOO_MANY_FAILURES", "eve", eves(chunks=sender.chunks(DELTA))


def read_until(federation: Any, topic: str, enough: Callable[[list[Message]], bool]) -> list[Message]:
    """Committed records of a one-partition topic, from its beginning."""
    consumer = Consumer({**federation.brokers.librdkafka(), "group.id": "test"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[Message] = []
    deadline = time.monotonic() + 120
    try:
        while not enough(found):
            assert time.monotonic() < deadline, f"{topic}: {len(found)} records"
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                found.append(message)
    finally:
        consumer.close()
    return found


def assert_data_files_stop_nothing(stack: Stack, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks of a client that does not look at their evaluation sets, in which anything may be: each model is released,
    measured or with a reason."""
    monkeypatch.setattr(ModelOfLayers, "check_measured", lambda _: None)
    names = {f"any-{number}" for number in range(NUM_DATA_FILES)}
    for number, name in enumerate(sorted(names)):
        path = folder / f"{name}.safetensors"
        path.write_bytes(data_file(random.Random(number).choice))
        evaluation = {"data": str(path), "metrics": ["accuracy", "auc", "macro_f1", "recall", "loss"]}
        fields = {**TASK.model_dump(mode="json"), "task": name, "evaluation": evaluation}
        create_task(stack.federation, stack.keys, TaskFile.model_validate(fields))

    def released(found: list[Message]) -> dict[str, Release]:
        releases = [decode(message.value(), Release) for message in found]
        return {release.task: release for release in releases}

    topic = stack.federation.topics.releases
    found = released(read_until(stack.federation, topic, lambda found: released(found).keys() >= names))
    assert {bool(release.reason) for release in found.values()} == {False, True}, "of both kinds, some"
    assert all(bool(release.reason) != bool(release.metrics) for release in found.values())


def test_bad_input_gets_a_verdict_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_stack(tmp_path / "data", partitions=PARTITIONS) as stack:
        federation, topics = stack.federation, stack.federation.topics
        created = create_task(federation, stack.keys, TASK)
        names = ("alice", "bob", "mallory")
        keys = {name: SigningKey.generate() for name in (*names, "eve")}
        with closing(connect(federation.brokers, "test")) as transport:
            register(transport, topics, stack.keys, keys)
        stages = ("validation", "aggregation", "evaluation", "audit")
        submission = Submission(stages=stages, settings={"restart_attempts": 0})
        job = LocalJob(stack.directory, submission)
        job.start()
        try:
            opened = read_until(federation, topics.rounds, lambda found: len(found) > 0)[0]
            aggregator = bytes.fromhex(federation.aggregator_key)
            servers = federation.brokers.librdkafka()
            producer = Producer({**PRODUCER, **servers})
            sender = Sender(producer, stack, unseal(opened.value(), Round, aggregator, topics.scope), keys)
            bad = list(bad_records(sender))
            for _, key, raw in bad:
                sender.send(raw, key)
            for codec in ("gzip", "snappy", "lz4", "zstd"):  # Flink's connector cannot read the last one
                compressing = Producer({**PRODUCER, **servers, "compression.type": codec})
                Sender(compressing, stack, sender.round, keys).send(b"garbage " * 100, "mallory")
            good = {name: seal(sender.update(name), keys[name], name, topics.scope) for name in names}
            for name, raw in good.items():
                sender.send(raw, name)
            sender.send(good["alice"], "alice")

            expected = Counter([reason for reason, _, _ in bad])
            expected += Counter(ACCEPTED=3, DUPLICATE_IGNORED=1, ENVELOPE=4)
            messages = read_until(federation, topics.verdicts, lambda found: len(found) >= expected.total())
            verdicts = [decode(message.value(), Verdict) for message in messages]
            assert Counter(verdict.reason.value for verdict in verdicts) == expected
            places = {(verdict.source_partition, verdict.source_offset) for verdict in verdicts}
            assert len(places) == len(verdicts)

            models = read_until(federation, topics.models, lambda found: len(found) >= 2)
            manifest = unseal(models[1].value(), ModelManifest, aggregator, topics.scope)
            assert {contribution.participant for contribution in manifest.contributions} == set(names)
            assert manifest.chunks[0].sha256 == expected_digest(federation, created.manifest, manifest)

            with closing(connect(federation.brokers, "test")) as transport:
                acts = OperatorActs(transport, federation, stack.keys.operator)
                assert_a_task_is_continued_and_removed(acts, sender, manifest)
            health = HealthReading(federation).health(StageMac.load(stack.directory.keys))
            assert (health.tasks["toy"].status, health.tasks["toy"].reason) == ("REMOVED", "the test is over")
            assert health.tasks["toy"].last_failure == "the task was removed"
            assert health.quarantined["NON_FINITE"] == 1
            assert_the_removal_stands_last(federation, producer)
            assert_data_files_stop_nothing(stack, tmp_path, monkeypatch)

            deadline = time.monotonic() + 30
            while True:
                with snapshot(federation.brokers, audited_topics(topics), "test-audit") as reader:
                    report = verify(reader, federation)
                if report.verified or time.monotonic() > deadline:
                    break
                time.sleep(1)
            assert report.verified, report
            for since in (0, report.signed_size):
                assert_an_audit_goes_on(federation, tmp_path / "audit.state", since)
            assert_invariants(federation)
            assert job.pid is not None, "the job has ended"
        finally:
            job.stop()


def assert_a_task_is_continued_and_removed(acts: OperatorActs, sender: Sender, model: ModelManifest) -> None:
    """Other terms open a further round; removal gives it up, and answers the update that it has."""
    federation = sender.stack.federation
    aggregator, scope = bytes.fromhex(federation.aggregator_key), federation.topics.scope

    def rounds(status: RoundStatus) -> Callable[[list[Message]], bool]:
        return lambda found: any(unseal(each.value(), Round, aggregator, scope).status is status for each in found)

    read_until(federation, federation.topics.rounds, rounds(RoundStatus.FINISHED))
    update_task(acts, TASK.model_copy(update={"rounds": 3}))
    read_until(federation, federation.topics.rounds, lambda found: len(found) >= 3)
    changes = {"round": 2, "base_version": 1, "base_digest": model.model_digest, "update_id": "second"}
    sender.send(seal(sender.update("alice", **changes), sender.keys["alice"], "alice", scope), "alice")
    acts.pause("toy")
    read_until(
        federation,
        federation.topics.verdicts,
        lambda found: any(decode(each.value(), Verdict).update_id == "second" for each in found),
    )
    acts.remove("toy", "the test is over")
    read_until(federation, federation.topics.rounds, rounds(RoundStatus.REMOVED))
    receipts = read_until(federation, federation.topics.receipts, lambda found: len(found) >= 4)
    outcomes = {decode(each.value(), Receipt).update_id: decode(each.value(), Receipt).outcome for each in receipts}
    assert outcomes["second"] is Outcome.ROUND_FAILED


def assert_an_audit_goes_on(federation: Federation, state: Path, since: int) -> None:
    """From what the one before it has kept."""
    with (
        KeptLog(state, federation) as kept,
        snapshot(federation.brokers, audited_topics(federation.topics), "test-audit") as reader,
    ):
        report = verify(reader, federation, kept=kept)
    assert report.verified, report
    assert (report.since == 0) == (since == 0)
    assert report.since >= since


def assert_the_removal_stands_last(federation: Any, producer: Producer) -> None:
    """Somebody writes the task's first record, and junk, behind its removal, and waits for compaction."""
    topic, key = federation.topics.registry, b"task/toy"

    def values(found: list[Message]) -> list[bytes | None]:
        return [each.value() for each in found if each.key() == key]

    before = values(read_until(federation, topic, lambda found: len(values(found)) >= 4))
    for written in (before[0], b"junk"):
        producer.produce(topic, written, key)
    assert producer.flush(20) == 0
    read_until(federation, topic, lambda found: values(found)[len(before) + 2 :][-1:] == before[-1:])


def expected_digest(federation: Any, base: ModelManifest, manifest: ModelManifest) -> bytes:
    """Digest of the first chunk of base + the mean of three equal deltas in fixed point, rounded to float32 once."""
    reference = base.chunks[0]
    consumer = Consumer({**federation.brokers.librdkafka(), "group.id": "test"})
    consumer.assign([TopicPartition(federation.topics.model_blobs, reference.partition, reference.offset)])
    message = consumer.poll(30)
    consumer.close()
    assert message is not None
    start = np.frombuffer(message.value(), "<f4").astype(np.float64)
    scale = 2.0**manifest.fraction_bits
    fixed = np.rint(DELTA[:4].astype(np.float64) * scale)
    model = (start + 30 * fixed / (30 * scale)).astype("<f4")
    return hashlib.sha256(model.tobytes()).digest()
