"""Variants built and measured in a process of their own."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fluvial.edge.artefact_kinds import runs_in_torch
from fluvial.edge.training.architectures import build
from fluvial.edge.training.data_files import load_evaluation
from fluvial.edge.training.module_state import ModuleState
from fluvial.edge.training.narrowing import narrowed
from fluvial.edge.training.task_code import TaskCode
from fluvial.inference.comparison import answers_of
from fluvial.inference.session import OnnxSession
from fluvial.wire.acceleration import VariantSpec
from fluvial.wire.task_file import TaskFile
from models.acceleration import Subject, parse_recipe
from models.acceleration.bench import outputs_of
from models.acceleration.workshop import products
from pipelines.acceleration.workers import Worker
from tests.unit.models.acceleration.test_workshop import INPUTS, PARAMETERS, TASK, VARIANTS, model, order

__all__ = ["model", "order"]


def finished(worker):
    made = {}
    while True:
        over = worker.is_over
        made.update({product.name: (product, artefact) for product, artefact in worker.finished()})
        if over:
            return made
        time.sleep(0.02)


@pytest.fixture(scope="module")
def of_a_worker(order, model, repository_root):
    """What a process of its own makes of the order: (product, artefact) by name."""
    worker = Worker(order, model, repository_root)
    try:
        return finished(worker)
    finally:
        worker.close()


def in_this_process(order, model, reference=None):
    """The same without the seconds that a process takes to import all that it builds with."""
    return {product.name: (product, artefact) for product, artefact in products(order, model, reference)}


def test_a_worker_builds_measures_and_says_what_does_not_fit(order, model, of_a_worker):
    product, artefact = of_a_worker["plain"]
    assert OnnxSession(artefact).run(np.zeros((1, 6), np.float32)).shape == (1, 2)
    assert product.measured is not None
    keys = {(counts.metric, counts.group) for counts in product.measured.counts}
    assert {("accuracy", "sex:women"), ("recall:1", "all"), ("agreement", "all")} <= keys
    assert all(counts.harmed == 0 for counts in product.measured.counts)
    assert product.measured.timing.batch == 16
    bounds = {drop.group: drop.bound for drop in product.measured.drops if drop.metric == "auc"}
    assert bounds.keys() == {"all", "sex:women", "sex:men"}
    assert max(bounds.values()) < 0.01
    module = ModuleState(build("multilayer_perceptron", PARAMETERS))
    module.load(model)
    subject = Subject(
        module=module.module.eval(), calibration=load_evaluation(Path(order.root) / order.calibration).inputs
    )
    here = parse_recipe("int8_static", {}).build(subject)
    assert here.digest.hex() == of_a_worker["rounded"][0].artefact_sha256, "another process builds other bytes"
    halved, numbers = of_a_worker["halved"]
    assert runs_in_torch(numbers)
    assert not halved.failure
    assert halved.measured is None, "measured where it is slower than others, and would serve"
    failure, nothing = of_a_worker["none"]
    assert "between 0 and 1" in failure.failure
    assert nothing == b""


def test_a_tuned_model_is_compared_with_the_one_before_it_was_pruned(order, model, of_a_worker):
    tunes = {"task": "toy", "version": 1, "model_digest": "00" * 32, "variant": "tuned", "fraction": 0.5}
    task = TaskFile.model_validate({**TASK.model_dump(mode="json"), "task": "toy-1-tuned", "tunes": tunes})
    tuned = VariantSpec(name="tuned", recipe="fine_tuned", parameters={"of": "pruned"})
    torch.manual_seed(6)
    pruned = ModuleState(narrowed(build("multilayer_perceptron", PARAMETERS), 0.5)).flatten()
    of_rounds = replace(order, specification=task.specification(), variants=(tuned,))
    product, artefact = in_this_process(of_rounds, pruned, model)["tuned"]
    assert not product.failure, product.failure
    assert product.measured is not None
    everybody = next(each for each in product.measured.counts if (each.metric, each.group) == ("agreement", "all"))
    expected = [answers_of(outputs_of(TaskCode(of), vector, INPUTS)) for of, vector in ((TASK, model), (task, pruned))]
    assert everybody.harmed == (expected[0] != expected[1]).sum() > 0
    assert len(artefact) < len(of_a_worker["plain"][1])


@pytest.mark.parametrize(
    ("last_words", "reason"),
    [
        ("a warning\nthe module's state has 74 elements", "the module's state has 74 elements"),
        ("", "ended with status 1"),
    ],
)
def test_a_process_that_ends_without_a_product_fails_every_variant_with_its_last_words(
    order, model, tmp_path, last_words, reason
):
    code = tmp_path / "models" / "acceleration" / "workshop.py"
    code.parent.mkdir(parents=True)
    for package in (code.parent.parent, code.parent):
        (package / "__init__.py").touch()
    code.write_text(f"import sys\nprint({last_words!r}, file=sys.stderr)\nsys.exit(1)\n")
    worker = Worker(order, model, tmp_path)
    try:
        made = finished(worker)
    finally:
        worker.close()
    assert made.keys() == {variant.name for variant in VARIANTS}
    assert all(reason in product.failure for product, _ in made.values())


def test_a_worker_that_is_closed_leaves_no_process_and_no_folder(order, model, repository_root):
    worker = Worker(order, model, repository_root)
    worker.close()
    assert worker.is_over
