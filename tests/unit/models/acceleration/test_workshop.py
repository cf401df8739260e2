"""What a workshop is ordered, and what it refuses; its process: tests/integration."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from fluvial.edge.packages.examples import Examples
from fluvial.edge.training.architectures import build
from fluvial.edge.training.module_state import ModuleState
from fluvial.wire.acceleration import VariantSpec
from fluvial.wire.task_file import Limits, ModelSpec, TaskFile
from models.acceleration.bench import Bench
from models.acceleration.example_sets import ExampleSet
from models.acceleration.workshop import Order, main, products, read_product, write_order

INPUTS = np.random.default_rng(3).normal(size=(100, 6)).astype(np.float32)
PARAMETERS = {"inputs": 6, "classes": 2, "hidden": 8}
VARIANTS = (
    VariantSpec(name="plain", recipe="onnx_fp32"),
    VariantSpec(name="rounded", recipe="int8_static"),
    VariantSpec(name="halved", recipe="torch_bf16"),
    VariantSpec(name="none", recipe="pruned_structured", parameters={"fraction": 2.0}),
)


TASK = TaskFile(
    task="toy",
    title="Toy",
    model=ModelSpec(architecture="multilayer_perceptron", parameters=PARAMETERS),
    rounds=1,
    quorum=1,
    target=1,
    deadline_seconds=1.0,
    limits=Limits(max_abs=1.0, max_weight=1),
)


@pytest.fixture(scope="module")
def order(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")

    def save(name, inputs, **more):
        tensors = {"inputs": inputs, "targets": np.arange(len(inputs)) // 3 % 2}
        save_file({**tensors, **more}, folder / name, metadata={"groups": json.dumps({"sex": ["women", "men"]})})

    save("calibration.safetensors", INPUTS[:20] + 1)
    save("gate.safetensors", INPUTS, **{"groups.sex": np.arange(100) % 2})
    return Order(
        specification=TASK.specification(),
        packages=(),
        variants=VARIANTS,
        calibration="calibration.safetensors",
        gate="gate.safetensors",
        root=str(folder),
        metrics=("accuracy", "recall", "agreement", "auc"),
        batch=16,
    )


@pytest.fixture(scope="module")
def model():
    """Seeded: of a few, pruning changes no answer."""
    torch.manual_seed(5)
    return ModuleState(build("multilayer_perceptron", PARAMETERS)).flatten()


def test_values_are_measured_by_errors_and_not_by_shares_of_right_answers():
    outputs, targets = INPUTS[:, :1], np.linspace(0, 1, 100, dtype=np.float32)
    gate = ExampleSet(inputs=INPUTS, examples=Examples(inputs=INPUTS, targets=targets), sha256=bytes(32))
    found = Bench(gate=gate, reference=outputs, metrics=("mae", "rmse")).compared(outputs + 3, bytes(32))
    counts, drops = found.counts, found.drops
    assert not counts
    assert {drop.metric: drop.drop > 0 for drop in drops} == {"mae": True, "rmse": True}
    with pytest.raises(ValueError, match="mae or rmse"):
        Bench(gate=gate, reference=outputs, metrics=("accuracy",)).compared(outputs, bytes(32))


def test_a_model_that_does_not_fit_ends_with_one_line(tmp_path, order, model, monkeypatch, capsys):
    monkeypatch.setattr("os.nice", lambda increment: increment)  # this process is no worker
    write_order(tmp_path, order, model[:-1])
    assert main([str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "the module's state has" in line
    assert read_product(tmp_path, "plain") is None


def test_calibration_inputs_that_are_the_gates_under_another_name_are_refused(order, model, tmp_path):
    folder = Path(order.root)
    (tmp_path / "gate.safetensors").write_bytes((folder / order.gate).read_bytes())
    save_file({"inputs": INPUTS[10:40], "targets": np.arange(30) % 2}, tmp_path / "part.safetensors")
    (tmp_path / "copy.safetensors").write_bytes((folder / order.gate).read_bytes())
    for calibration in ("part.safetensors", "copy.safetensors"):
        again = replace(order, root=str(tmp_path), calibration=calibration, gate="gate.safetensors")
        with pytest.raises(ValueError, match="calibration inputs are of the gate"):
            next(products(again, model))
