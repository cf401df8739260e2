from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from fluvial.edge.trainer import TrainingRequest, load_trainer
from fluvial.edge.training.flat import layout_of
from models.architectures import build, initial_state


def a_request(tmp_path: Path, **changes: Any) -> TrainingRequest:
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(40, 3)).astype(np.float32)
    targets = (inputs.sum(1) > 0).astype(np.int64)
    save_file({"inputs": inputs, "targets": targets, "group": np.arange(40) % 2}, tmp_path / "data.safetensors")
    parameters = {"inputs": 3, "classes": 2}
    request = TrainingRequest(
        task="demo",
        round=1,
        base_D=initial_state("logistic_regression", parameters, 1),
        layout=layout_of(build("logistic_regression", parameters)),
        model={"architecture": "logistic_regression", "parameters": parameters, "seed": 1},
        training={"epochs": 2, "batch_size": 5, "learning_rate": 0.1},
        data=tmp_path / "data.safetensors",
        index=1,
        seed=3,
    )
    return replace(request, **changes)


def test_the_default_trainer_trains_the_tasks_architecture_on_the_groups_data(tmp_path: Path) -> None:
    request = a_request(tmp_path)
    trainer = load_trainer("models.participation:trainer")
    delta_D, weight = trainer(request)
    assert weight == 20
    assert delta_D.shape == request.base_D.shape
    assert np.abs(delta_D).max() > 0
    np.testing.assert_array_equal(delta_D, trainer(request)[0])


def test_feddyn_remembers_between_rounds_and_repeats_a_round_alike(tmp_path: Path) -> None:
    trainer = load_trainer("models.participation:trainer")
    dynamic = {"epochs": 2, "batch_size": 5, "learning_rate": 0.1, "dynamic_alpha": 0.5}
    request = a_request(tmp_path, training=dynamic, state=tmp_path / "outbox.state")
    first, _ = trainer(request)
    proximal, _ = trainer(replace(request, training={**dynamic, "dynamic_alpha": 0.0, "proximal_mu": 0.5}))
    np.testing.assert_array_equal(first, proximal)  # without a past the two are one
    np.testing.assert_array_equal(trainer(request)[0], first)
    second, _ = trainer(replace(request, round=2))
    assert np.abs(second - first).max() > 1e-3
    np.testing.assert_array_equal(trainer(replace(request, round=2))[0], second)
    with pytest.raises(ValueError, match="a place to remember"):
        trainer(replace(request, state=None))
