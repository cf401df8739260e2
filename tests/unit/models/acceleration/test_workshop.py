"""Variants built and measured in a process of their own."""

import json
import time

import numpy as np
import pytest
from safetensors.numpy import save_file

from fluvial.edge.training.flat import flatten
from fluvial.inference.session import Session
from fluvial.wire.acceleration import VariantSpec
from fluvial.wire.task_file import Limits, ModelSpec, TaskFile
from models.acceleration.workshop import Order, main, read_product, write_order
from models.architectures import build
from pipelines.acceleration.workers import Worker

PARAMETERS = {"inputs": 6, "classes": 2, "hidden": 8}
VARIANTS = (
    VariantSpec(name="plain", recipe="onnx_fp32"),
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
    random = np.random.default_rng(3)

    def save(name, size, **more):
        tensors = {"inputs": random.normal(size=(size, 6)).astype(np.float32), "targets": random.integers(0, 2, size)}
        save_file({**tensors, **more}, folder / name, metadata={"groups": json.dumps({"sex": ["women", "men"]})})

    save("calibration.safetensors", 20)
    save("gate.safetensors", 100, **{"groups.sex": np.arange(100) % 2})
    return Order(
        specification=TASK.specification(),
        packages=(),
        variants=VARIANTS,
        calibration=str(folder / "calibration.safetensors"),
        gate=str(folder / "gate.safetensors"),
        batch=16,
    )


@pytest.fixture(scope="module")
def model():
    return flatten(build("multilayer_perceptron", PARAMETERS))


def finished(worker):
    products = {}
    while True:
        over = worker.is_over
        products.update({product.name: (product, artefact) for product, artefact in worker.finished()})
        if over:
            return products
        time.sleep(0.1)


def test_a_worker_builds_measures_and_says_what_does_not_fit(order, model, repository_root):
    worker = Worker(order, model, repository_root)
    try:
        products = finished(worker)
    finally:
        worker.close()
    product, artefact = products["plain"]
    assert Session(artefact).run(np.zeros((1, 6), np.float32)).shape == (1, 2)
    assert product.measured is not None
    keys = {(counts.metric, counts.group) for counts in product.measured.counts}
    assert {("accuracy", "sex:women"), ("recall:1", "all"), ("agreement", "all")} <= keys
    assert all(counts.harmed == 0 for counts in product.measured.counts)
    assert product.measured.timing.batch == 16
    failure, nothing = products["none"]
    assert "between 0 and 1" in failure.failure
    assert nothing == b""


def test_a_model_that_does_not_fit_fails_every_variant_with_the_reason(order, model, repository_root):
    worker = Worker(order, model[:-1], repository_root)
    try:
        products = finished(worker)
    finally:
        worker.close()
    assert products.keys() == {variant.name for variant in VARIANTS}
    assert all("the module's state has" in product.failure for product, _ in products.values())


def test_a_worker_that_is_closed_leaves_no_process_and_no_folder(order, model, repository_root):
    worker = Worker(order, model, repository_root)
    worker.close()
    assert worker.is_over


def test_an_order_that_is_no_order_ends_with_one_line(tmp_path, order, model, monkeypatch, capsys):
    monkeypatch.setattr("os.nice", lambda increment: increment)  # this process is no worker
    write_order(tmp_path, order, model[:3])
    assert main([str(tmp_path)]) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert read_product(tmp_path, "plain") is None
