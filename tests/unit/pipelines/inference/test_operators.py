"""The operator of inference: requests that it cannot handle, that nothing serves, that were answered before."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fluvial.edge.packages import Packages
from fluvial.edge.packages.errors import PackageError
from fluvial.identity.envelope import seal, unseal
from fluvial.identity.keys import SigningKey
from fluvial.wire.records import (
    Failure,
    InferenceAnswer,
    InferenceRequest,
    InferenceResults,
    InferenceStatus,
    ParticipantStatus,
    Task,
)
from fluvial.wire.topics import Topics
from pipelines.flink.bundles import Kind, pack_bundle
from pipelines.flink.frames import SourceRecord, source_frame
from pipelines.flink.process_resources import ProcessResources
from pipelines.inference import operators
from pipelines.inference.logic import Model
from pipelines.inference.operators import Infer
from tests.unit.pipelines.flink_state import FlinkState
from tests.unit.pipelines.inference.test_logic import a_request
from tests.unit.pipelines.inference.test_serving import SPECIFICATION
from tests.unit.pipelines.promotion.builders import SPEC

KEY, CALLER = (SigningKey.from_seed(bytes([number]) * 32) for number in (8, 9))
FAILURE = Failure(operator="infer", submission="s", items=("0@0",), error="KeyError", traceback="", time_ms=1)
LANE = "lane-0"


class Inference:
    """The operator; a model that raises what nobody expects on ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        KEY.save(folder / "aggregator.pem")
        self.spec = SPEC
        self.state, self.answers, self.model = FlinkState(), dict[str, InferenceAnswer](), None
        self.state._runtime_context = SimpleNamespace(  # type: ignore[attr-defined]
            getTaskInfo=lambda: SimpleNamespace(getIndexOfThisSubtask=lambda: 0, getAttemptNumber=lambda: 0)
        )
        caller = SimpleNamespace(status=ParticipantStatus.ACTIVE, public_key=CALLER.public_key)
        serving = SimpleNamespace(
            start=lambda: None,
            close=lambda: None,
            ready=lambda _: True,
            registry=SimpleNamespace(participant=lambda _: caller),
            model=lambda _: self.model,
            spec=lambda task: self.spec if task == "credit" else None,
            why_not=lambda: "nothing is promoted",
        )
        monkeypatch.setattr(operators, "Serving", lambda *_: serving)
        monkeypatch.setattr(ProcessResources, "reader", lambda *_, **__: None)
        monkeypatch.setattr(operators, "leased_producer", lambda *_, **__: None)
        monkeypatch.setattr(operators, "ResultsWriter", lambda *_: self)
        monkeypatch.setattr(operators, "_results_since", lambda *_: self.log)
        self.log: list[SourceRecord] = []
        self.settled = 0
        settings: Any = SimpleNamespace(
            brokers=None,
            topics=Topics(),
            topic_prefix="",
            submission="",
            holding=None,
            read_timeout_ms=1,
            keys_dir=folder,
            partitions=1,
            operator_key="00" * 32,
            registrar_key="00" * 32,
            aggregator_key=KEY.public_key.hex(),
            packages=(),
            repository_root=folder,
            device="cpu",
        )
        self.operator = Infer(settings)
        self.operator.open(self.state)

    def serve(self) -> None:
        def run(inputs: Any) -> Any:
            if (inputs == 1).any():
                raise KeyError("nobody has thought of this")
            return inputs

        self.model = Model(run=run, shape=(3,), promotion=1, version=1, variant="v", artefact_sha256=bytes(32))

    def write(self, records: list[tuple[int, bytes]]) -> None:
        for _, value in records:
            self.log.append(SourceRecord(0, len(self.log), operators._now_ms(), b"", value))
            for answer in unseal(value, InferenceResults, KEY.public_key).answers:
                self.answers[answer.request_id] = answer

    def close(self) -> None:
        pass

    def settle(self) -> None:
        self.settled += 1


def bundle(*inputs: int) -> bytes:
    frames = []
    for offset, value in enumerate(inputs):
        request = seal(a_request(np.full((1, 3), value), f"r{value}"), CALLER, "anna")
        frames.append(source_frame(SourceRecord(0, offset, operators._now_ms(), f"r{value}".encode(), request)))
    return pack_bundle(Kind.SOURCE, frames)


def test_the_caller_of_a_request_that_is_set_aside_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stage = Inference(monkeypatch, tmp_path)
    stage.serve()
    with pytest.raises(KeyError):
        stage.state.call(stage.operator, LANE, bundle(1))
    assert list(stage.operator.set_aside(bundle(1), stage.state, FAILURE)) == []
    assert stage.answers["r1"].status is InferenceStatus.BAD_INPUT
    assert "KeyError" in stage.answers["r1"].reason


def test_where_nothing_is_released_a_request_is_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stage = Inference(monkeypatch, tmp_path)
    stage.state.call(stage.operator, LANE, bundle(0))
    assert stage.answers["r0"].status is InferenceStatus.NO_RELEASE
    assert stage.answers["r0"].reason == "nothing is promoted"


def test_what_an_earlier_worker_answered_is_not_answered_by_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stage = Inference(monkeypatch, tmp_path)
    stage.serve()
    stage.state.call(stage.operator, LANE, bundle(0, 2))
    before = list(stage.log)
    other = tmp_path / "other"
    other.mkdir()
    again = Inference(monkeypatch, other)
    again.log += before
    again.serve()
    again.state.call(again.operator, LANE, bundle(0, 2, 3))
    assert set(again.answers) == {"r3"}


def test_a_checkpoint_waits_for_results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stage = Inference(monkeypatch, tmp_path)
    stage.state.call(stage.operator, LANE, pack_bundle(Kind.SOURCE, []))
    assert stage.settled == 1


def test_what_cannot_be_opened_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stage = Inference(monkeypatch, tmp_path)
    junk = pack_bundle(Kind.SOURCE, [source_frame(SourceRecord(0, 1, 1, b"x", b"junk"))])
    assert list(stage.operator.set_aside(junk, stage.state, FAILURE)) == []
    assert stage.answers == {}


def test_the_module_of_what_torch_runs_is_made_as_the_tasks_file_says(tmp_path: Path) -> None:
    model = {"architecture": "logistic_regression", "parameters": {"inputs": 3, "classes": 2}}
    task = replace(A_TASK, specification=json.dumps({**SPECIFICATION, "model": model}))
    module = operators._module(Packages(), tmp_path, task)
    assert [tuple(parameter.shape) for parameter in module.parameters()] == [(2, 3), (2,)]
    packaged = {**SPECIFICATION, "model": {"builder": "other.model:net"}, "package": {"name": "other"}}
    with pytest.raises(PackageError, match="not allowed here"):
        operators._module(Packages(), tmp_path, replace(A_TASK, specification=json.dumps(packaged)))


A_TASK = Task(
    task="credit", specification="", layout=(), base_version=0, base_digest=bytes(32), base_chunks=(), created_ms=1
)


def sent(request: InferenceRequest, key: str | None = None, offset: int = 0) -> bytes:
    """A bundle of one request. key: the record's, without it the request's id."""
    name = request.request_id if key is None else key
    record = SourceRecord(0, offset, operators._now_ms(), name.encode(), seal(request, CALLER, "anna"))
    return pack_bundle(Kind.SOURCE, [source_frame(record)])


def test_a_negative_number_of_examples_fills_no_quota(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stage = Inference(monkeypatch, tmp_path)
    stage.serve()
    batching = SPEC.batching.model_copy(update={"examples_per_minute": 2})
    stage.spec = SPEC.model_copy(update={"batching": batching})
    zeros = np.zeros((1, 3))
    for number, shape in enumerate([(1, 3), (1, 3), (-(10**9), 3), (1, 3), (0, 3), (1, 3)]):
        stage.state.call(stage.operator, LANE, sent(a_request(zeros, f"q{number}", shape=shape)))
    statuses = [stage.answers[f"q{number}"].status.value for number in range(6)]
    assert statuses == ["ANSWERED", "ANSWERED", *["OVER_QUOTA"] * 4]


def test_a_copied_request_is_answered_once_and_spends_no_quota(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stage = Inference(monkeypatch, tmp_path)
    stage.serve()
    batching = SPEC.batching.model_copy(update={"examples_per_minute": 3})
    stage.spec = SPEC.model_copy(update={"batching": batching})
    for _ in range(5):
        stage.state.call(stage.operator, LANE, sent(a_request(np.zeros((1, 3)), "first")))
    stage.state.call(stage.operator, LANE, sent(a_request(np.zeros((1, 3)), "first"), key="elsewhere"))
    assert len(stage.log) == 1
    stage.state.call(stage.operator, LANE, sent(a_request(np.zeros((1, 3)), "second")))
    assert stage.answers["second"].status is InferenceStatus.ANSWERED


def test_names_that_are_none_have_no_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stage = Inference(monkeypatch, tmp_path)
    stage.serve()
    for name, task in (("x" * 2_000_000, "credit"), ("a\nb", "credit"), ("", "credit"), ("r", "t" * 2_000_000)):
        stage.state.call(stage.operator, LANE, sent(replace(a_request(np.zeros((1, 3)), name), task=task)))
    assert stage.log == []


def test_what_is_no_task_is_told_so_and_writes_no_audit_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stage = Inference(monkeypatch, tmp_path)
    for number in range(3):
        request = replace(a_request(np.zeros((1, 3)), f"u{number}"), task=f"invented-{number}")
        stage.state.call(stage.operator, LANE, sent(request))
        assert stage.answers[f"u{number}"].status is InferenceStatus.UNKNOWN_TASK
    assert stage.operator._minutes == []
    assert list(stage.operator._summaries(operators._now_ms() + 120_000)) == []


def test_a_deadline_of_the_callers_own_is_no_later_than_the_tasks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stage = Inference(monkeypatch, tmp_path)
    stage.serve()
    request = replace(a_request(np.zeros((1, 3)), "late"), deadline_ms=1 << 60)
    record = SourceRecord(0, 0, operators._now_ms() - 60_000, b"late", seal(request, CALLER, "anna"))
    stage.state.call(stage.operator, LANE, pack_bundle(Kind.SOURCE, [source_frame(record)]))
    assert stage.answers["late"].status is InferenceStatus.EXPIRED
