"""A pruned variant, tuned in rounds of a task of its own, on a log in memory: opened, built by the stage, verified."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from deploy.local import tasks, tuning
from deploy.local.keys import ServiceKeys
from deploy.local.tasks import create_task
from deploy.local.tuning import open_rounds
from fluvial.edge.packages import Packages
from fluvial.edge.packages.allowed import NO_PACKAGES
from fluvial.edge.registry import Registry
from fluvial.edge.training.task_code import TaskCode
from fluvial.identity.brokers import Brokers
from fluvial.identity.envelope import seal, unseal
from fluvial.identity.federation import Federation
from fluvial.registry.acts import ActRefused
from fluvial.wire.errors import FluvialError
from fluvial.wire.framing import encode
from fluvial.wire.layout import model_digest
from fluvial.wire.records import ChunkReference, ModelManifest, Task, Variant
from fluvial.wire.task_file import TaskFile
from models.acceleration.workshop import Order, Product, products
from pipelines.acceleration import operators
from pipelines.acceleration.operators import Accelerate
from pipelines.aggregation.rounds import records
from pipelines.flink.frames import SourceRecord, parse_sink
from pipelines.flink.messages import pack
from pipelines.replay.task import initial_model
from pipelines.replay.variants import Verified, verified
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport
from tests.unit.pipelines.flink_state import FlinkState

Vector = NDArray[np.float32]
RANDOM = np.random.default_rng(9)
TERMS: dict[str, Any] = {
    "task": "toy",
    "title": "Toy",
    "model": {"architecture": "multilayer_perceptron", "parameters": {"inputs": 6, "classes": 2, "hidden": 8}},
    "rounds": 3,
    "quorum": 1,
    "target": 2,
    "deadline_seconds": 5.0,
    "limits": {"max_abs": 1.0, "max_weight": 100},
    "chunk_elements": 20,
    "acceleration": {
        "variants": [
            {"name": "pruned", "recipe": "pruned_structured"},
            {"name": "tuned", "recipe": "fine_tuned", "parameters": {"of": "pruned", "rounds": 1}},
        ],
        "calibration": "calibration.safetensors",
        "gate": "gate.safetensors",
        "policy": {"min_group": 10},
    },
}


class World:
    """A federation whose log is in memory, with version 3 of the task toy published."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, shift in (("gate", 0.0), ("calibration", 1.0)):
            inputs = (np.random.default_rng(3).normal(size=(60, 6)) + shift).astype(np.float32)
            save_file({"inputs": inputs, "targets": np.arange(60) % 2}, folder / f"{name}.safetensors")
        self.keys = ServiceKeys.load_or_make(folder / "keys")
        self.federation: Federation = self.keys.federation(
            Brokers(bootstrap_servers="none:1"), topic_prefix="", partitions=2
        )
        settings = self.federation.topics.all_settings(2)
        self.transport = MemoryTransport({one.name: one.partitions for one in settings})
        self.task = create_task(
            self.federation, self.keys, TaskFile.model_validate(TERMS), connected=self.transport
        ).task
        self.model = RANDOM.normal(size=TaskCode(self.task_file("toy")).state().size).astype(np.float32)
        self.manifest = self.publish(self.task, 3, self.model)

    def task_file(self, name: str) -> TaskFile:
        return TaskFile.model_validate_json(self.record(name).specification)

    def record(self, name: str) -> Task:
        with closing(Registry(self.transport, self.federation)) as registry:
            registry.refresh()
            task = registry.task(name)
        assert task is not None
        return task

    def open_rounds(self, variant: str = "tuned", version: int = 3) -> Task:
        return open_rounds(self.transport, self.federation, self.keys, "toy", version, variant, NO_PACKAGES).task

    def publish(self, task: Task, version: int, model: Vector) -> ModelManifest:
        task_file = TaskFile.model_validate_json(task.specification)
        chunks = self.upload(self.federation.topics.model_blobs, model.tobytes(), 4 * task_file.chunk_elements)
        parent = records.Model(layout=task.layout, version=version - 1, digest=bytes(32), chunks=())
        manifest = records.manifest(
            task_file,
            parent,
            number=version,
            attempt=1,
            contributions=(),
            total_weight=1,
            chunks=chunks,
            optimizer_chunks=(),
            now_ms=1,
        )
        assert manifest.model_digest == model_digest([chunk.sha256 for chunk in chunks])
        sealed = seal(manifest, self.keys.aggregator, "aggregator")
        self.transport.produce(self.federation.topics.models, sealed, key=f"{task.task}/{version}".encode())
        return manifest

    def upload(self, topic: str, data: bytes, size: int) -> tuple[ChunkReference, ...]:
        found = []
        for first in range(0, len(data), size):
            piece = data[first : first + size]
            place = self.transport.produce(topic, piece, key=b"chunk", partition=0).result()
            found.append(
                ChunkReference(
                    partition=place.partition, offset=place.offset, length=len(piece), sha256=sha256(piece).digest()
                )
            )
        return tuple(found)

    def verified(self, variant: Variant) -> Verified:
        with closing(Registry(self.transport, self.federation)) as registry:
            registry.refresh()
            return verified(self.transport, self.federation, registry, variant, Packages(()), self.folder)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    for module in (tasks, tuning):
        monkeypatch.setattr(module, "CHECKOUT", tmp_path)
    return World(tmp_path)


def test_the_rounds_begin_with_what_pruning_leaves_under_the_tasks_terms(world: World) -> None:
    task = world.open_rounds()
    own = world.task_file(task.task)
    assert task.task == "toy-3-tuned"
    assert [(tensor.name, tuple(tensor.shape)) for tensor in task.layout] == [
        ("0.weight", (4, 6)),
        ("0.bias", (4,)),
        ("2.weight", (2, 4)),
        ("2.bias", (2,)),
    ]
    assert own.tunes is not None
    assert own.tunes.model_digest == world.manifest.model_digest.hex()
    assert (own.rounds, own.limits, own.quorum) == (1, world.task_file("toy").limits, 1)
    first = next(m for m in read(world) if m.task == task.task)
    assert first.model_digest == task.base_digest
    began = initial_model(world.transport, world.federation, first)
    before = TaskCode(world.task_file("toy")).state()
    before.load(world.model)
    kept = np.sort(np.argsort(-np.linalg.norm(before.module[0].weight.detach().numpy(), axis=1))[:4])  # type: ignore[index]
    np.testing.assert_array_equal(began[:24].reshape(4, 6), before.module[0].weight.detach().numpy()[kept])  # type: ignore[index]


def read(world: World) -> list[ModelManifest]:
    from fluvial.edge.models import read_manifests

    return read_manifests(world.transport, world.federation)


@pytest.mark.parametrize(
    ("variant", "version", "why"),
    [("pruned", 3, "no variant pruned of recipe fine_tuned"), ("tuned", 7, "has no version 7")],
)
def test_what_the_terms_or_the_log_do_not_have_is_not_tuned(world: World, variant: str, version: int, why: str) -> None:
    with pytest.raises(ActRefused, match=why):
        world.open_rounds(variant, version)


def test_a_task_that_tunes_is_not_created_from_its_file(world: World) -> None:
    own = world.task_file(world.open_rounds().task).model_copy(update={"task": "another"})
    with pytest.raises(ValueError, match="fluvial variant tune"):
        create_task(world.federation, world.keys, own, connected=world.transport)


def test_a_model_of_which_parts_do_not_travel_is_not_tuned(world: World) -> None:
    changed = {**TERMS["model"], "train": ["2.*"]}
    terms = TaskFile.model_validate({**TERMS, "task": "frozen", "model": changed})
    task = create_task(world.federation, world.keys, terms, connected=world.transport).task
    state = TaskCode(world.task_file("frozen")).state()
    world.publish(task, 1, state.flatten())
    with pytest.raises(ValueError, match="travels whole"):
        open_rounds(world.transport, world.federation, world.keys, "frozen", 1, "tuned", NO_PACKAGES)


class Stage:
    """The acceleration stage on the log of the world."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, world: World) -> None:
        self.world, self.state, topics = world, FlinkState(), world.federation.topics
        world.keys.aggregator.save(world.folder / "aggregator.pem")
        monkeypatch.setattr(operators, "read_to_end", self._read_to_end)
        monkeypatch.setattr(operators, "shared_reader", lambda *_, **__: None)
        monkeypatch.setattr(operators, "read_model", self._read_model)
        monkeypatch.setattr(operators, "chunk_writer", lambda *_, **__: self)
        monkeypatch.setattr(operators, "Worker", InThisProcess)
        self._places: dict[int, tuple[int, int]] = {}
        self.operator = Accelerate(
            SimpleNamespace(  # type: ignore[arg-type]
                brokers=None,
                topics=topics,
                read_timeout_ms=1,
                repository_root=world.folder,
                keys_dir=world.folder,
                partitions=2,
                packages=(),
                aggregator_key=world.federation.aggregator_key,
                operator_key=world.federation.operator_key,
            )
        )
        self.operator.open(self.state)

    def send(self, index: int, partition: int, key: bytes, piece: bytes) -> None:
        topic = self.world.federation.topics.variant_blobs
        place = self.world.transport.produce(topic, piece, key=key, partition=partition).result()
        self._places[index] = place.partition, place.offset

    def flush(self) -> dict[int, tuple[int, int]]:
        return self._places

    def built(self, task: Task, manifest: ModelManifest) -> Variant:
        """What becomes of a model of a task: its one variant, whose records are in the log."""
        self.state.call(self.operator, task.task, pack(task.task, "task", [encode(task)]))
        self.state.call(self.operator, task.task, pack(task.task, "manifest", [encode(manifest)]))
        found = []
        for frame in map(parse_sink, self.state.fire(self.operator, 1 << 60)):
            self.world.transport.produce(frame.topic, frame.value or b"", key=frame.key or b"")
            if frame.topic == self.world.federation.topics.variants:
                found.append(unseal(frame.value or b"", Variant, self.world.keys.aggregator.public_key))
        self.operator.close()
        (variant,) = found
        return variant

    def _read_to_end(self, brokers: object, topic: str, **_: object) -> Iterator[SourceRecord]:
        for message in self.world.transport.messages(topic):
            yield SourceRecord(message.partition, message.offset, 1, message.key, message.value or b"")

    def _read_model(self, reader: object, manifest: ModelManifest) -> Vector:
        places = [(chunk.partition, chunk.offset) for chunk in manifest.chunks]
        return np.frombuffer(
            b"".join(self.world.transport.fetch(self.world.federation.topics.model_blobs, places)), "<f4"
        )


class InThisProcess:
    """A worker that has done all when it starts, because a process of its own imports for seconds."""

    is_over = True

    def __init__(self, order: Order, model: Vector, root: Path, reference: Vector | None) -> None:
        self._products = list(products(order, model, reference))

    def finished(self) -> list[tuple[Product, bytes]]:
        return self._products

    def close(self) -> None:
        pass


def test_what_the_rounds_make_is_the_variant_and_whoever_builds_it_again_finds_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = world.open_rounds()
    stage = Stage(monkeypatch, world)
    trained = RANDOM.normal(size=sum(int(np.prod(t.shape)) for t in task.layout)).astype(np.float32)
    variant = stage.built(task, world.publish(task, 1, trained))
    assert (variant.task, variant.version, variant.name, variant.failure) == ("toy", 3, "tuned", "")
    assert variant.model_digest == world.manifest.model_digest
    found = world.verified(variant)
    assert found.good, found
    assert found.rebuilt.same_bytes
    assert found.tuned_by == "toy-3-tuned"
    assert "the same" in found.measured
    measured = world.transport.messages(world.federation.topics.measurements)
    assert len(measured) == 1

    # The same gate set with other answers: what was signed is not what is measured here.
    other = np.random.default_rng(8).normal(size=(60, 6)).astype(np.float32)
    save_file({"inputs": other, "targets": np.arange(60) % 2}, world.folder / "gate.safetensors")
    assert "not the one that was measured on" in world.verified(variant).measured


def test_rounds_that_did_not_begin_with_the_pruned_model_are_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pruned = tuning.pruned_model

    def another(*arguments: Any) -> Vector:
        first = pruned(*arguments)
        first[0] += np.float32(1e-3)
        return first

    with monkeypatch.context() as lied:
        lied.setattr(tuning, "pruned_model", another)
        task = world.open_rounds()
    stage = Stage(monkeypatch, world)
    trained = np.zeros(sum(int(np.prod(t.shape)) for t in task.layout), np.float32)
    variant = stage.built(task, world.publish(task, 1, trained))
    with pytest.raises(FluvialError, match="did not begin with what pruning leaves"):
        world.verified(variant)
