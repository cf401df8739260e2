"""Laws of data files: whatever one holds, it is refused in words where a task is created or a participant trains, and
in a job the model is measured or released with a reason. Nothing raises."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from fluvial.edge.training.data_files import (
    load_all_participants,
    load_by_participant,
    load_participant,
    num_participants,
)
from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import Release, Task
from fluvial.wire.task_file import EvaluationSpec, Limits, ModelSpec, TaskFile
from models.evaluation.task import evaluator_of
from pipelines.evaluation.measuring import REASON_CHARACTERS, Measuring
from tests.unit.fluvial.edge.training.any_data_files import NUM_CLASSES, NUM_INPUTS, data_file
from tests.unit.pipelines.evaluation.test_measuring import MANIFEST

MODEL = np.linspace(-1, 1, (NUM_INPUTS + 1) * NUM_CLASSES, dtype=np.float32)
TASK = TaskFile(
    task="toy",
    title="Toy",
    model=ModelSpec(architecture="logistic_regression", parameters={"inputs": NUM_INPUTS, "classes": NUM_CLASSES}),
    rounds=1,
    quorum=1,
    target=1,
    deadline_seconds=1.0,
    limits=Limits(max_abs=1.0, max_weight=1),
    evaluation=EvaluationSpec(data="set.safetensors", metrics=["accuracy", "auc", "macro_f1", "recall", "loss"]),
)


@st.composite
def data_files(draw: Callable[..., Any]) -> bytes:
    return data_file(lambda options: draw(st.sampled_from(options)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("sets")
    return made


@given(data_files())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_model_is_measured_on_a_data_file_or_released_with_a_reason(folder: Path, content: bytes) -> None:
    (folder / "set.safetensors").write_bytes(content)
    try:
        evaluator_of(TaskCode.of(TASK, root=folder), "cpu")
        refused = ""
    except ValueError as error:
        refused = f"{error}"
        assert refused
    task = Task(
        task="toy",
        specification=TASK.specification(),
        layout=(),
        base_version=0,
        base_digest=b"",
        base_chunks=(),
        created_ms=1,
    )
    release = Measuring(folder, "cpu", lambda _: MODEL).release(task, MANIFEST)
    assert release is not None
    assert decode(encode(release), Release) == release
    assert bool(release.reason) != bool(release.metrics)
    assert release.reason.isprintable()
    assert len(release.reason) <= REASON_CHARACTERS
    assert str(folder) not in release.reason
    assert all(math.isfinite(metric.value) for metric in release.metrics)
    if refused:
        assert release.reason, "what is refused where a task is created is measured in a job"
    event("refused" if refused else "not measured" if release.reason else "measured")


@given(data_files())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_participants_data_file_is_read_or_refused_in_words(folder: Path, content: bytes) -> None:
    path = folder / "train.safetensors"
    path.write_bytes(content)
    for read in (load_all_participants, load_by_participant, num_participants):
        with suppress(ValueError):
            read(path)
    for index in (-1, 0, 1, 1 << 62):
        with suppress(ValueError):
            dataset = load_participant(path, index)
            assert len(dataset.inputs) == len(dataset.targets) > 0
