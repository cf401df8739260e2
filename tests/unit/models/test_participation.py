from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from fluvial.edge.trainer import TrainingRequest, load_trainer
from fluvial.edge.training.flat import layout_of
from models.architectures import build, initial_state


def test_the_default_trainer_trains_the_tasks_architecture_on_the_groups_data(tmp_path: Path) -> None:
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
    trainer = load_trainer("models.participation:trainer")
    delta_D, weight = trainer(request)
    assert weight == 20
    assert delta_D.shape == request.base_D.shape
    assert np.abs(delta_D).max() > 0
    np.testing.assert_array_equal(delta_D, trainer(request)[0])
