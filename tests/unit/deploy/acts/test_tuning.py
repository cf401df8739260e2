"""A pruned variant is tuned in rounds of a task of its own, which the operator opens; on a log in memory."""

from __future__ import annotations

from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from deploy.acts import model_of_code, tuning
from deploy.acts.tasks import create_task
from deploy.acts.tuning import open_rounds
from deploy.federation.keys import ServiceKeys
from fluvial.edge.packages import Packages
from fluvial.edge.packages.allowed import NO_PACKAGES
from fluvial.edge.registry import Registry
from fluvial.edge.training.task_code import TaskCode
from fluvial.identity.brokers import Brokers
from fluvial.identity.envelope import seal
from fluvial.identity.federation import Federation
from fluvial.registry.acts import ActRefused
from fluvial.wire.layout import model_digest
from fluvial.wire.records import ChunkReference, ModelManifest, Task, Variant
from fluvial.wire.task_file import TaskFile
from pipelines.aggregation.rounds import records
from pipelines.replay.task import initial_model
from pipelines.replay.variants import Verified, verified
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport

Vector = NDArray[np.float32]
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
        size = TaskCode(self.task_file("toy")).state().size
        self.model = np.random.default_rng(9).normal(size=size).astype(np.float32)
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
    for module in (model_of_code, tuning):
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
    from fluvial.edge.manifests import read_manifests

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
