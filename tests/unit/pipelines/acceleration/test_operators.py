"""The operator of acceleration on states of memory: what becomes of a version that cannot be built."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fluvial.identity.envelope import unseal
from fluvial.identity.keys import SigningKey
from fluvial.wire.framing import encode
from fluvial.wire.records import Failure, Task, Variant
from fluvial.wire.topics import Topics
from pipelines.acceleration import operators
from pipelines.acceleration.operators import Accelerate
from pipelines.flink.frames import parse_sink
from pipelines.flink.messages import pack
from pipelines.flink.process_resources import ProcessResources
from tests.unit.deploy.demo.records import manifest
from tests.unit.pipelines.flink_state import FlinkState
from tests.unit.pipelines.inference.test_serving import SPECIFICATION
from tests.unit.pipelines.promotion.builders import SPEC

KEY = SigningKey.from_seed(bytes([7]) * 32)
FAILURE = Failure(operator="accelerate", submission="s", items=("timer",), error="KeyError", traceback="", time_ms=1)


class Acceleration:
    """The operator, on a log that has no variants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, specification: str) -> None:
        KEY.save(folder / "aggregator.pem")
        self.state, self.num_reads = FlinkState(), 0
        monkeypatch.setattr(operators, "read_to_end", lambda *_, **__: iter(()))
        monkeypatch.setattr(ProcessResources, "reader", lambda *_, **__: None)
        monkeypatch.setattr(ProcessResources, "writer", lambda *_, **__: SimpleNamespace(flush=dict))
        monkeypatch.setattr(operators, "read_model", self._read_model)
        settings: Any = SimpleNamespace(
            brokers=None,
            topics=Topics(),
            topic_prefix="",
            submission="",
            holding=None,
            read_timeout_ms=1,
            repository_root=folder,
            keys_dir=folder,
            partitions=1,
            packages=(),
            aggregator_key=KEY.public_key.hex(),
        )
        self.operator = Accelerate(settings)
        self.operator.open(self.state)
        self.register(specification)

    def register(self, specification: str, version: int = 0) -> None:
        task = Task(
            task="credit",
            specification=specification,
            layout=(),
            base_version=0,
            base_digest=b"",
            base_chunks=(),
            created_ms=1,
            version=version,
        )
        self.state.call(self.operator, "credit", pack("credit", "task", [encode(task)]))

    def publish(self, version: int) -> None:
        self.state.call(self.operator, "credit", pack("credit", "manifest", [encode(manifest(version))]))

    def _read_model(self, *_: Any) -> None:
        self.num_reads += 1
        raise KeyError("nobody has thought of this")


def test_a_version_that_the_stage_raises_on_has_variants_that_failed_and_the_next_one_its_turn(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stage = Acceleration(monkeypatch, tmp_path, json.dumps(SPECIFICATION))
    stage.publish(1)
    with pytest.raises(KeyError):
        stage.state.fire(stage.operator, 1 << 60)
    stage.state.key = "credit"
    frames = [parse_sink(frame) for frame in stage.operator.timer_set_aside(1, stage.state, FAILURE)]
    variants = [unseal(one.value or b"", Variant, KEY.public_key) for one in frames if one.topic == Topics().variants]
    assert [variant.name for variant in variants] == [variant.name for variant in SPEC.variants]
    assert {variant.failure for variant in variants} == {"the stage raised KeyError"}
    assert list(stage.operator.timer_set_aside(2, stage.state, FAILURE)) == []
    stage.publish(2)
    with pytest.raises(KeyError):
        stage.state.fire(stage.operator, 1 << 60)
    assert stage.num_reads == 2


def test_a_task_whose_file_cannot_be_read_has_no_variants(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stage = Acceleration(monkeypatch, tmp_path, "no task file")
    stage.publish(1)
    assert stage.state.fire(stage.operator, 1 << 60) == []


def test_a_version_whose_package_is_not_allowed_is_left_to_the_next_submission(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Recorded as failed it would never be built, also where the package is allowed."""
    model = {"builder": "credit_code.model:net"}
    specification = {**SPECIFICATION, "package": {"name": "credit-code", "digest": "0" * 64}, "model": model}
    stage = Acceleration(monkeypatch, tmp_path, json.dumps(specification))
    stage.publish(1)
    assert stage.state.fire(stage.operator, 1 << 60) == []
    assert stage.num_reads == 0
    assert stage.state.fire(stage.operator, 1 << 61) == [], "and it is not asked again and again"


def test_a_copy_of_the_tasks_former_record_does_not_bring_its_terms_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without = {key: value for key, value in SPECIFICATION.items() if key != "acceleration"}
    stage = Acceleration(monkeypatch, tmp_path, json.dumps(SPECIFICATION))
    stage.register(json.dumps(without), version=1)
    stage.register(json.dumps(SPECIFICATION), version=0)
    stage.publish(1)
    assert stage.state.fire(stage.operator, 1 << 60) == []
    assert stage.num_reads == 0
