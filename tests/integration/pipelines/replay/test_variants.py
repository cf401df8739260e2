"""A tuned variant, built by the stage on a log in memory, and built and measured again from what the log holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from deploy.acts import first_model, model_of_code, tuning
from fluvial.identity.envelope import seal, unseal
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.canonical_json import canonical_json
from fluvial.wire.errors import FluvialError
from fluvial.wire.framing import encode
from fluvial.wire.layout import num_elements
from fluvial.wire.records import Measurement, ModelManifest, Task, TensorLayout, Variant
from models.acceleration.workshop import Order, Product, products
from pipelines.acceleration import operators
from pipelines.acceleration.operators import Accelerate
from pipelines.flink.frames import SourceRecord, parse_sink
from pipelines.flink.messages import pack
from pipelines.flink.process_resources import ProcessResources
from pipelines.replay.variants import _not_as_the_terms_say
from tests.unit.deploy.acts.test_tuning import Vector, World
from tests.unit.pipelines.flink_state import FlinkState


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    for module in (first_model, model_of_code, tuning):
        monkeypatch.setattr(module, "CHECKOUT", tmp_path)
    return World(tmp_path)


class Stage:
    """The acceleration stage on the log of the world."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, world: World) -> None:
        self.world, self.state, topics = world, FlinkState(), world.federation.topics
        world.keys.aggregator.save(world.folder / "aggregator.pem")
        monkeypatch.setattr(operators, "read_to_end", self._read_to_end)
        monkeypatch.setattr(ProcessResources, "reader", lambda *_, **__: None)
        monkeypatch.setattr(operators, "read_model", self._read_model)
        monkeypatch.setattr(ProcessResources, "writer", lambda *_, **__: self)
        monkeypatch.setattr(operators, "Worker", InThisProcess)
        self._places: dict[int, tuple[int, int]] = {}
        self.operator = Accelerate(
            SimpleNamespace(  # type: ignore[arg-type]
                brokers=None,
                topic_prefix="",
                submission="",
                holding=None,
                topics=topics,
                read_timeout_ms=1,
                repository_root=world.folder,
                keys_dir=world.folder,
                partitions=2,
                packages=(),
                device="cpu",
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


def _trained(layout: Sequence[TensorLayout]) -> Vector:
    """What rounds may have come to: float32[D]."""
    return np.random.default_rng(10).normal(size=num_elements(layout)).astype(np.float32)


def test_what_the_rounds_make_is_the_variant_and_whoever_builds_it_again_finds_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = world.open_rounds()
    stage = Stage(monkeypatch, world)
    trained = _trained(task.layout)
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
    found = world.verified(variant)
    assert "not the one that was measured on" in found.measured
    assert not found.good


def test_a_record_that_is_not_of_what_the_terms_name_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    task = world.open_rounds()
    stage = Stage(monkeypatch, world)
    trained = _trained(task.layout)
    variant = stage.built(task, world.publish(task, 1, trained))
    recipe = json.loads(variant.recipe)
    chunk = variant.chunks[0]
    changed = {
        "the terms want": {"recipe": canonical_json({**recipe, "parameters": {"of": "pruned", "rounds": 9}})},
        "the terms name no variant other": {"name": "other"},
        "1 bytes are recorded": {"artefact_bytes": 1},
        "chunk 0 has other bytes": {"chunks": (replace(chunk, sha256=bytes(32)),)},
    }
    for expected, change in changed.items():
        found = _not_as_the_terms_say(replace(variant, **change), spec_of(world), artefact_of(world, variant))
        assert any(expected in words for words in found), (expected, found)
    assert _not_as_the_terms_say(variant, spec_of(world), artefact_of(world, variant)) == ()
    with pytest.raises(FluvialError, match="is not what the variant was calibrated with"):
        world.verified(replace(variant, calibration_sha256=b""))


def test_a_second_measurement_with_other_counts_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    task = world.open_rounds()
    stage = Stage(monkeypatch, world)
    trained = _trained(task.layout)
    variant = stage.built(task, world.publish(task, 1, trained))
    topic, key = world.federation.topics.measurements, world.keys.aggregator
    measured = unseal(world.transport.messages(topic)[0].value or b"", Measurement, key.public_key)
    flattered = [replace(each, both=each.both + each.harmed + 40, harmed=0, helped=40) for each in measured.counts]
    lie = replace(measured, counts=tuple(flattered))
    world.transport.produce(topic, seal(lie, key, "aggregator"), key=b"aggregator")
    found = world.verified(variant)
    assert not found.good
    assert "others" in found.measured


def spec_of(world: World) -> AccelerationSpec:
    spec = world.task_file("toy").acceleration
    assert spec is not None
    return spec


def artefact_of(world: World, variant: Variant) -> bytes:
    places = [(chunk.partition, chunk.offset) for chunk in variant.chunks]
    return b"".join(world.transport.fetch(world.federation.topics.variant_blobs, places))


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
