"""What is released of a model, whatever its task and its data say."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from fluvial.edge.packages import Packages, pinned
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import ModelManifest, Release, Task
from pipelines.evaluation.measuring import REASON_CHARACTERS, Measuring
from tests.unit.deploy.demo.records import manifest
from tests.unit.fluvial.edge.packages.packages_world import task_file, write
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


def test_each_group_has_its_number_of_examples_and_what_is_not_defined_on_it_is_said(root: Path) -> None:
    tensors = {"inputs": np.eye(2, dtype=np.float32), "targets": np.array([0, 1]), "groups.site": np.array([1, 0])}
    save_file(tensors, root / "sets" / "toy.safetensors", {"groups": '{"site": ["north\\u001b[2J", "south"]}'})
    wanted = TASK.evaluation.model_copy(update={"metrics": ["accuracy", "auc"]})
    release = Measuring(root, "cpu", lambda _: IDENTITY).release(task(evaluation=wanted), MANIFEST)
    assert release is not None
    assert {metric.name for metric in release.metrics} == {"accuracy", "auc"}
    assert [(group.attribute, group.group, group.num_examples) for group in release.groups] == [
        ("site", "north [2J", 1),
        ("site", "south", 1),
    ]
    assert [[metric.name for metric in group.metrics] for group in release.groups] == [["accuracy"], ["accuracy"]]
    assert "both classes" in release.groups[0].reason
    assert decode(encode(release), Release) == release


def test_more_groups_than_a_record_should_hold_are_a_reason(root: Path) -> None:
    tensors = {"inputs": np.eye(2, dtype=np.float32), "targets": np.array([0, 1]), "groups.site": np.array([1, 0])}
    names = json.dumps({"site": [str(number) for number in range(257)]})
    save_file(tensors, root / "sets" / "toy.safetensors", {"groups": names})
    release = Measuring(root, "cpu", lambda _: IDENTITY).release(task(), MANIFEST)
    assert release is not None
    assert "257 groups apart, more than 256" in release.reason


def test_a_task_with_a_package_is_measured_where_it_is_allowed_and_refused_where_it_is_not(tmp_path: Path) -> None:
    folder = write(tmp_path)
    packages = Packages([folder])
    signed = pinned(task_file(), packages.of(task_file()))
    record = replace(task(), specification=signed.specification())
    model = np.array([1, 0, 0, 0, 1, 1, 0, 0], np.float32)
    release = Measuring(tmp_path, "cpu", lambda _: model, packages).release(record, MANIFEST)
    assert release is not None
    assert {metric.name: metric.value for metric in release.metrics}["accuracy"] == 1.0
    assert [group.group for group in release.groups] == ["north", "south"]
    refused = Measuring(tmp_path, "cpu", lambda _: model).release(record, MANIFEST)
    assert refused is not None
    assert "not allowed here" in refused.reason
    (folder / "parts.py").write_text("def width():\n    return 1  # the same, but not by its digest\n")
    other = Measuring(tmp_path, "cpu", lambda _: model, Packages([folder])).release(record, MANIFEST)
    assert other is not None
    assert "pins the package chest-xray" in other.reason
    assert str(tmp_path) not in other.reason + refused.reason


def test_a_later_submission_that_may_run_the_package_measures_and_one_that_may_not_says_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = Packages([write(tmp_path)])
    record = replace(task(), specification=pinned(task_file(), packages.of(task_file())).specification())
    model = np.array([1, 0, 0, 0, 1, 1, 0, 0], np.float32)
    release = Measuring(tmp_path, "cpu", lambda _: model, packages).again(record, MANIFEST)
    assert release is not None
    assert (release.again, release.reason, bool(release.metrics)) == (True, "", True)
    refused = Measuring(tmp_path, "cpu", lambda _: model)
    assert refused.again(record, MANIFEST) is None
    monkeypatch.setattr(refused, "_evaluator", lambda _: pytest.fail("one try of a task's file is enough"))
    assert refused.again(record, MANIFEST) is None


def test_a_model_that_is_gone_stays_unmeasured_and_the_next_one_is_measured_again(root: Path) -> None:
    models = iter([ChunkUnavailable("retention has it"), IDENTITY])

    def read(_: ModelManifest) -> Any:
        found = next(models)
        if isinstance(found, Exception):
            raise found
        return found

    measuring = Measuring(root, "cpu", read)
    assert measuring.again(task(), MANIFEST) is None
    release = measuring.again(task(), replace(MANIFEST, version=2))
    assert release is not None
    assert release.again


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
