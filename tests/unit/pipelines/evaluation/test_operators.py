"""The operator of evaluation on states of memory: one release for each model, with state and without."""

from __future__ import annotations

import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from fluvial.transparency.event import event_id
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import Failure, Release, Task
from fluvial.wire.topics import Topics
from pipelines.evaluation import loading, operators
from pipelines.evaluation.operators import Evaluate
from pipelines.flink.frames import SourceRecord
from pipelines.flink.messages import pack
from pipelines.flink.process_resources import ProcessResources
from pipelines.flink.stage_mac import StageMac, make_secret
from tests.unit.deploy.demo.records import manifest
from tests.unit.models.evaluation.test_task import TASK
from tests.unit.pipelines.flink_state import FlinkState

RELEASE = Release(task="toy", version=0, model_digest=bytes(32), metrics=(), num_examples=0, device="", duration_ms=0)
"""Written by no stage: it must not keep the model from being measured."""


class Evaluation:
    """The operator, and topic releases as it would stand in the log."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.releases: list[bytes] = []
        self.reads = 0
        self._settings: Any = SimpleNamespace(
            brokers=None,
            topics=Topics(),
            topic_prefix="",
            submission="",
            holding=None,
            partitions=1,
            read_timeout_ms=1,
            repository_root=root,
            device="cpu",
            keys_dir=root,
            packages=(),
        )
        self.is_loaded = True
        monkeypatch.setattr(loading, "of_evaluation", SimpleNamespace(is_done=lambda: self.is_loaded))
        make_secret(root)
        self._mac = StageMac.load(root)
        monkeypatch.setattr(operators, "read_to_end", self._read)
        reader = SimpleNamespace(chunks=self._gone, chunk=None)
        monkeypatch.setattr(ProcessResources, "reader", lambda *_, **__: reader)
        self.restart(lost=True)

    def restart(self, *, lost: bool) -> None:
        self.state = FlinkState() if lost else self.state
        self._operator = Evaluate(self._settings)
        self._operator.open(self.state)

    def task(self) -> None:
        task = Task(
            task="toy",
            specification=TASK.model_dump_json(),
            layout=(),
            base_version=0,
            base_digest=b"",
            base_chunks=(),
            created_ms=1,
        )
        self._call("task", encode(task))

    def manifest(self, version: int) -> None:
        self._call("manifest", encode(manifest(version, task="toy")))

    def fire(self) -> None:
        """What timers give that are due."""
        at_ms = self.state.next_timer()
        assert at_ms is not None
        self._take(self.state.fire(self._operator, at_ms))

    def versions(self) -> list[int]:
        return [decode(value, Release).version for value in self.releases]

    def _call(self, kind: str, payload: bytes) -> None:
        self._take(self.state.call(self._operator, "toy", pack("toy", kind, [payload])))

    def _take(self, frames: list[bytes]) -> None:
        self.releases += [_value(frame) for frame in frames if b"fluvial.releases" in frame]

    def _read(self, *_: Any, **__: Any) -> list[SourceRecord]:
        self.reads += 1
        topic, now_ms = Topics().releases, 1 << 50
        forged = [encode(RELEASE), b"junk"]
        proofs: list[Any] = [(), *([self._mac.header(topic, b"toy", value)] for value in [b"junk", *self.releases])]
        values = [*forged, *self.releases]
        return [
            SourceRecord(0, place, now_ms, b"toy", value, tuple(proof))
            for place, (value, proof) in enumerate(zip(values, proofs, strict=True))
        ]

    def _gone(self, _: Any) -> Any:
        raise ChunkUnavailable("its slot was used again")


def _value(frame: bytes) -> bytes:
    """The value of a sink frame with a key and no headers."""
    (topic,) = struct.unpack_from(">H", frame)
    (key,) = struct.unpack_from(">i", frame, 2 + topic)
    return frame[2 + topic + 4 + key + 2 + 4 :]


@pytest.fixture
def evaluation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Evaluation:
    return Evaluation(monkeypatch, tmp_path)


def test_models_wait_for_their_task_and_are_then_released_once(evaluation: Evaluation) -> None:
    for version in (0, 1, 0):
        evaluation.manifest(version)
    assert evaluation.versions() == []
    evaluation.task()
    evaluation.manifest(2)
    evaluation.manifest(1)
    assert evaluation.versions() == [0, 1, 2]
    evaluation.restart(lost=False)
    evaluation.manifest(2)
    evaluation.manifest(3)
    assert evaluation.versions() == [0, 1, 2, 3]
    assert evaluation.reads == 1, "a job that has its state does not read the log"


def test_models_wait_in_state_and_in_their_order_while_what_measures_them_is_loaded(evaluation: Evaluation) -> None:
    evaluation.is_loaded = False
    evaluation.task()
    assert evaluation.state.num_timers() == 0, "nothing waits"
    evaluation.manifest(0)
    evaluation.restart(lost=False)
    evaluation.manifest(1)
    evaluation.fire()
    assert evaluation.versions() == []
    assert evaluation.state.num_timers() > 0
    evaluation.is_loaded = True
    evaluation.manifest(2)
    assert evaluation.versions() == [], "what fails now would be laid to the model that has just come"
    while evaluation.state.num_timers():
        evaluation.fire()
    assert evaluation.versions() == [0, 1, 2]


def test_models_that_waited_and_fail_again_and_again_are_passed_over_and_the_next_one_is_measured(
    evaluation: Evaluation,
) -> None:
    evaluation.is_loaded = False
    evaluation.task()
    evaluation.manifest(0)
    failure = Failure(operator="evaluate", submission="s", items=("timer",), error="KeyError", traceback="", time_ms=1)
    assert list(evaluation._operator.timer_set_aside(1, evaluation.state, failure)) == []
    evaluation.is_loaded = True
    evaluation.manifest(1)
    assert evaluation.versions() == [1]


def test_a_model_that_waited_is_measured_when_the_timer_finds_all_loaded(evaluation: Evaluation) -> None:
    evaluation.is_loaded = False
    evaluation.task()
    evaluation.manifest(0)
    evaluation.is_loaded = True
    evaluation.fire()
    assert evaluation.versions() == [0]
    assert evaluation.state.num_timers() == 0


def test_a_job_without_state_learns_from_the_log_what_was_measured(evaluation: Evaluation) -> None:
    evaluation.task()
    for version in (0, 1):
        evaluation.manifest(version)
    evaluation.restart(lost=True)
    evaluation.task()
    for version in (0, 1, 2):
        evaluation.manifest(version)
    assert evaluation.versions() == [0, 1, 2]


def test_a_set_that_is_missing_gives_releases_with_a_reason(evaluation: Evaluation) -> None:
    evaluation.task()
    evaluation.manifest(0)
    (release,) = [decode(value, Release) for value in evaluation.releases]
    assert release.metrics == ()
    assert "there is no data at sets/toy.safetensors" in release.reason


def test_what_could_not_be_measured_is_measured_by_the_next_submission_from_the_log(
    evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation.task()
    evaluation.manifest(0)
    evaluation.manifest(1)
    (tmp_path / "sets").mkdir()
    tensors = {"inputs": np.eye(2, dtype=np.float32), "targets": np.array([0, 1])}
    save_file(tensors, tmp_path / "sets" / "toy.safetensors")
    monkeypatch.setattr(operators, "read_model", lambda *_: np.array([1, 0, 0, 1, 0, 0], np.float32))
    for _ in range(2):
        evaluation.restart(lost=True)
        evaluation.task()
        for version in (0, 1):
            evaluation.manifest(version)
    found = [decode(value, Release) for value in evaluation.releases]
    assert [(release.version, release.again, bool(release.metrics)) for release in found] == [
        (0, False, False), (1, False, False), (0, True, True), (1, True, True),
    ]  # fmt: skip
    assert len({event_id(release) for release in found}) == 4, "each is an event of the audit log"
