"""What is released of a model, whatever its task and its data say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import ModelManifest, Task
from pipelines.evaluation.measuring import REASON_CHARACTERS, Measuring
from tests.unit.deploy.demo.records import manifest
from tests.unit.models.evaluation.test_task import TASK

IDENTITY = np.array([1, 0, 0, 1, 0, 0], np.float32)
MANIFEST = manifest(1)


def task(**fields: Any) -> Task:
    return Task(
        task="toy",
        specification=TASK.model_copy(update=fields).model_dump_json(),
        layout=(),
        base_version=0,
        base_digest=b"",
        base_chunks=(),
        created_ms=1,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sets").mkdir()
    save_file(
        {"inputs": np.eye(2, dtype=np.float32), "targets": np.array([0, 1])}, tmp_path / "sets" / "toy.safetensors"
    )
    return tmp_path


def test_metrics_and_where_they_were_measured(root: Path) -> None:
    release = Measuring(root, "cpu", lambda _: IDENTITY).release(task(), MANIFEST)
    assert release is not None
    assert [(metric.name, metric.value) for metric in release.metrics] == [("accuracy", 1.0)]
    assert (release.num_examples, release.device, release.reason) == (2, "cpu", "")


def test_a_task_without_an_evaluation_set_has_no_release(root: Path) -> None:
    assert Measuring(root, "cpu", lambda _: IDENTITY).release(task(evaluation=None), MANIFEST) is None


def gone(_: ModelManifest) -> Any:
    raise ChunkUnavailable("model-blobs/0@7: retention has it")


def fails(_: ModelManifest) -> Any:
    raise RuntimeError("line one\n\x1b[2Jline two " + "x" * 1000)


@pytest.mark.parametrize(
    ("fields", "read", "why"),
    [
        ({"evaluation": TASK.evaluation.model_copy(update={"data": "sets/typo.safetensors"})}, None, "sets/typo"),
        ({"model": TASK.model.model_copy(update={"parameters": {"inputs": 5, "classes": 2}})}, None, "do not fit"),
        ({"model": TASK.model.model_copy(update={"parameters": {"inputs": 2, "classes": 1}})}, None, "has 1 class"),
        ({"model": TASK.model.model_copy(update={"parameters": {"inputs": "2", "classes": 2}})}, None, "of type int"),
        ({"model": TASK.model.model_copy(update={"architecture": "gone"})}, None, "unknown architecture"),
        ({}, lambda _: IDENTITY[:3], "vector has shape"),
        ({}, lambda _: np.full(6, np.inf, np.float32), "NaN"),
        ({}, gone, "model-blobs/0@7: retention has it"),
        ({}, fails, "RuntimeError: line one [2Jline two"),
    ],
)
def test_nothing_that_a_task_or_its_data_says_is_an_error(
    root: Path, fields: dict[str, Any], read: Any, why: str
) -> None:
    release = Measuring(root, "cpu", read or (lambda _: IDENTITY)).release(task(**fields), MANIFEST)
    assert release is not None
    assert release.metrics == ()
    assert why in release.reason
    assert release.reason.isprintable()
    assert len(release.reason) <= REASON_CHARACTERS
    assert str(root) not in release.reason
    assert release.model_digest == MANIFEST.model_digest


def test_a_task_file_of_another_release_is_a_reason_too(root: Path) -> None:
    strange = Task(
        task="toy", specification="{}", layout=(), base_version=0, base_digest=b"", base_chunks=(), created_ms=1
    )
    release = Measuring(root, "cpu", lambda _: IDENTITY).release(strange, MANIFEST)
    assert release is not None
    assert "Field required" in release.reason


def test_a_broker_that_is_away_is_tried_again(root: Path) -> None:
    def away(_: ModelManifest) -> Any:
        raise TimeoutError("nobody answers")

    with pytest.raises(TimeoutError):
        Measuring(root, "cpu", away).release(task(), MANIFEST)


def test_other_terms_of_a_task_are_heeded(root: Path) -> None:
    measuring = Measuring(root, "cpu", lambda _: IDENTITY)
    broken = TASK.evaluation.model_copy(update={"data": "sets/typo.safetensors"})
    before, after = (measuring.release(found, MANIFEST) for found in (task(evaluation=broken), task()))
    assert before is not None
    assert before.reason
    assert after is not None
    assert after.metrics
