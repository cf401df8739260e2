"""The trainer that participants use by default."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from fluvial.edge.packages import Packages
from fluvial.edge.trainer import TrainingRequest, load_trainer
from fluvial.edge.training.participation import measure_held_out, trainer
from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.task_file import TaskFile
from tests.unit.fluvial.edge.packages.packages_world import task_file, write

PLAIN = TaskFile.model_validate(
    {
        "task": "demo",
        "title": "Demo",
        "model": {"architecture": "logistic_regression", "parameters": {"inputs": 3, "classes": 2}, "seed": 1},
        "rounds": 1,
        "quorum": 1,
        "target": 1,
        "deadline_seconds": 1.0,
        "limits": {"max_abs": 1.0, "max_weight": 100},
    }
)
TRAINING = {"epochs": 2, "batch_size": 5, "learning_rate": 0.1}


def a_request(tmp_path: Path, specification: TaskFile = PLAIN, **changes: Any) -> TrainingRequest:
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(40, 3)).astype(np.float32)
    targets = (inputs.sum(1) > 0).astype(np.int64)
    save_file({"inputs": inputs, "targets": targets, "group": np.arange(40) % 2}, tmp_path / "data.safetensors")
    np.savez(tmp_path / "1.npz", inputs=inputs[1::2], targets=targets[1::2])
    package = changes.get("package")
    state = TaskCode(specification, package).state()
    request = TrainingRequest(
        task="demo",
        round=1,
        base_D=state.flatten(),
        layout=state.layout,
        specification=specification,
        model=specification.model.model_dump(),
        training=TRAINING,
        data=tmp_path / "data.safetensors" if package is None else tmp_path,
        index=1,
        seed=3,
    )
    return replace(request, **changes)


def trained(request: TrainingRequest) -> np.ndarray:
    found = trainer(request)
    assert found is not None
    return found[0]


def test_it_trains_the_tasks_architecture_on_the_groups_data(tmp_path: Path) -> None:
    request = a_request(tmp_path)
    found = load_trainer("fluvial.edge.training.participation:trainer")(request)
    assert found is not None
    delta_D, weight = found
    assert weight == 20
    assert delta_D.shape == request.base_D.shape
    assert np.abs(delta_D).max() > 0
    np.testing.assert_array_equal(delta_D, trained(request))


def test_a_package_trains_the_same_model_to_the_same_bytes(tmp_path: Path) -> None:
    package = Packages([write(tmp_path)]).of(task_file())
    built_in = a_request(tmp_path)
    own = a_request(tmp_path, task_file(), package=package, base_D=built_in.base_D)
    assert trained(own).tobytes() == trained(built_in).tobytes()


def test_feddyn_remembers_between_rounds_and_repeats_a_round_alike(tmp_path: Path) -> None:
    dynamic = {**TRAINING, "dynamic_alpha": 0.5}
    request = a_request(tmp_path, training=dynamic, state=tmp_path / "outbox.state")
    first = trained(request)
    proximal = trained(replace(request, training={**TRAINING, "proximal_mu": 0.5}))
    np.testing.assert_array_equal(first, proximal)  # without a past the two are one
    np.testing.assert_array_equal(trained(request), first)
    second = trained(replace(request, round=2))
    assert np.abs(second - first).max() > 1e-3
    np.testing.assert_array_equal(trained(replace(request, round=2)), second)
    with pytest.raises(ValueError, match="a place to remember its correction"):
        trainer(replace(request, state=None))


def test_personal_parts_are_kept_across_rounds_and_a_repeated_round_begins_where_it_began(tmp_path: Path) -> None:
    model = PLAIN.model.model_copy(update={"local": ["0.bias"]})
    request = a_request(tmp_path, PLAIN.model_copy(update={"model": model}), state=tmp_path / "outbox.state")
    assert [tensor.name for tensor in request.layout] == ["0.weight"]
    first = trained(request)
    np.testing.assert_array_equal(trained(request), first)
    second = trained(replace(request, round=2))
    assert second.tobytes() != first.tobytes()  # from the same base, with a bias that has learned
    np.testing.assert_array_equal(trained(replace(request, round=2)), second)
    with pytest.raises(ValueError, match="a place to remember its personal"):
        trainer(replace(request, state=None))


def test_a_module_whose_state_does_not_fit_the_rounds_layout_is_refused(tmp_path: Path) -> None:
    request = a_request(tmp_path)
    with pytest.raises(ValueError, match="does not fit the round's layout"):
        trainer(replace(request, layout=request.layout[::-1]))


def test_cuda_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ValueError, match="cuda was asked for"):
        trainer(a_request(tmp_path, device="cuda"))


def test_a_task_with_a_package_that_is_not_allowed_here_says_what_to_install(tmp_path: Path) -> None:
    package = Packages([write(tmp_path)]).of(task_file())
    request = a_request(tmp_path, task_file(), package=package)
    with pytest.raises(ValueError, match=r"not allowed here: get it from the task's operator"):
        trainer(replace(request, package=None))


def test_what_is_held_out_and_does_not_fit_the_model_is_told_as_such(tmp_path: Path) -> None:
    held = "import numpy as np\n\ndef load(data, index):\n    return np.ones((20, 5), np.float32), np.arange(20) % 2\n"
    data = {"participant": "chest_xray.data:load", "held_out": "chest_xray.held:load"}
    task = task_file(data=data, evaluation=None, held_out={"metrics": ["accuracy"]})
    package = Packages([write(tmp_path, held=held)]).of(task)
    with pytest.raises(
        ValueError, match=r"fails on the examples that are held out \(inputs of shape \[5\].*RuntimeError"
    ):
        measure_held_out(a_request(tmp_path, task, package=package))
