"""What the recipes build of a small chain of layers of each kind: one suite for all."""

import subprocess
import sys
from copy import deepcopy
from functools import cache, partial

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from fluvial.edge.sessions import open_session
from fluvial.edge.training.architectures import build
from models.acceleration import RECIPES, Subject, parse_recipe

MODELS = {
    "convolutional": ({"image_size": 12, "classes": 4, "channels": 8, "hidden": 16}, (1, 12, 12)),
    "multilayer_perceptron": ({"inputs": 10, "classes": 3, "hidden": 32, "layers": 2}, (10,)),
}
CLOSE = {"onnx_fp32": 1e-5, "fp16_storage": 2e-3, "int8_static": 0.1, "int8_dynamic": 0.1, "int4_storage": 0.5}
CLOSE |= {"torch_fp32": 1e-5, "torch_bf16": 0.05, "torch_fp16": 5e-3}
"""How far an output may be from the model's. The others change the model itself."""


@cache
def subject(architecture):
    parameters, shape = MODELS[architecture]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        module = build(architecture, parameters)
    inputs = np.random.default_rng(7).normal(size=(64, *shape)).astype(np.float32)
    return Subject(module=module, calibration=inputs)


@cache
def artefact(architecture, recipe):
    return parse_recipe(recipe, {}).build(subject(architecture))


def session_of(architecture, recipe):
    module = partial(deepcopy, subject(architecture).module)
    return open_session(artefact(architecture, recipe).data, module=module)


def outputs(architecture):
    made = subject(architecture)
    with torch.no_grad():
        return made.module.eval()(torch.from_numpy(made.calibration)).numpy()


@pytest.mark.parametrize("architecture", MODELS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_an_artefact_answers_any_number_of_examples(architecture, recipe):
    session = session_of(architecture, recipe)
    inputs = subject(architecture).calibration
    answers = session.run(inputs)
    assert answers.shape == outputs(architecture).shape
    assert np.isfinite(answers).all()
    assert session.input_shape == (None, *inputs.shape[1:])
    # The scales of dynamic quantisation are those of the batch.
    tolerance = 0.05 if recipe == "int8_dynamic" else 1e-4
    np.testing.assert_allclose(session.run(inputs[:1]), answers[:1], atol=tolerance)
    np.testing.assert_allclose(session.run_in_batches(inputs, 7), answers, atol=tolerance)


@pytest.mark.parametrize("architecture", MODELS)
@pytest.mark.parametrize("recipe", CLOSE)
def test_what_only_stores_or_rounds_stays_close_to_the_model(architecture, recipe):
    answers = session_of(architecture, recipe).run(subject(architecture).calibration)
    np.testing.assert_allclose(answers, outputs(architecture), atol=CLOSE[recipe])


def test_recipes_leave_the_model_as_it_was():
    made = subject("multilayer_perceptron")
    before = {name: value.clone() for name, value in made.module.state_dict().items()}
    for recipe in RECIPES:
        artefact("multilayer_perceptron", recipe)
    after = made.module.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


AGAIN = """
import sys
from tests.integration.models.acceleration.test_artefacts import artefact
print(*(artefact("multilayer_perceptron", recipe).digest.hex() for recipe in sys.argv[1:]))
"""


@pytest.mark.soak
def test_another_process_builds_the_same_bytes():
    """One recipe of them at each run: test_workshop.py."""
    run = [sys.executable, "-W", "ignore", "-c", AGAIN, *RECIPES]
    digests = subprocess.run(run, check=True, capture_output=True, text=True).stdout.split()
    expected = [artefact("multilayer_perceptron", recipe).digest.hex() for recipe in RECIPES]
    assert digests[-len(expected) :] == expected


def test_no_name_of_a_file_or_a_machine_is_in_an_artefact():
    for recipe in RECIPES:
        data = artefact("convolutional", recipe).data
        assert b".py:" not in data
        assert b"/tmp" not in data
        assert b"site-packages" not in data


def test_small_storage_is_small():
    size = {recipe: len(artefact("multilayer_perceptron", recipe).data) for recipe in RECIPES}
    weights = 4 * sum(value.numel() for value in subject("multilayer_perceptron").module.parameters())
    assert size["fp16_storage"] < size["onnx_fp32"] - 0.4 * weights
    assert size["int4_storage"] < size["fp16_storage"]
    assert size["pruned_structured"] < size["onnx_fp32"]


def test_what_is_stored_small_is_unpacked_when_it_is_loaded_and_not_with_each_call():
    """The runtime computes of constants once what it does not keep for its own use, as it does DequantizeLinear."""
    for recipe in ("int4_storage", "fp16_storage", "pruned_unstructured"):
        nodes = onnx.load_from_string(artefact("multilayer_perceptron", recipe).data).graph.node
        assert "DequantizeLinear" not in {node.op_type for node in nodes}, recipe


def test_pruned_weights_are_those_of_least_magnitude_and_the_others_are_untouched():
    module = nn.Sequential(nn.Linear(20, 10), nn.ReLU(), nn.Linear(10, 2))
    inputs = np.random.default_rng(1).normal(size=(8, 20)).astype(np.float32)
    data = (
        parse_recipe("pruned_unstructured", {"fraction": 0.75}).build(Subject(module=module, calibration=inputs)).data
    )
    weight = module[0].weight.detach().numpy().copy()
    flat = weight.ravel()
    flat[np.argsort(np.abs(flat), kind="stable")[: int(0.75 * flat.size)]] = 0
    with torch.no_grad():
        expected = (
            torch.relu(torch.from_numpy(inputs) @ torch.from_numpy(weight).T + module[0].bias) @ module[2].weight.T
        )
        expected = (expected + module[2].bias).numpy()
    np.testing.assert_allclose(open_session(data).run(inputs), expected, atol=1e-5)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, values):
        return values + self.layer(values)


@pytest.mark.parametrize(
    ("recipe", "parameters", "module", "message"),
    [
        ("pruned_structured", {}, Residual(), "no chain of layers"),
        ("pruned_structured", {}, nn.Sequential(nn.Linear(4, 2)), "no hidden layer"),
        ("low_rank", {"fraction": 0.9}, nn.Sequential(nn.Linear(4, 4)), "no linear layer"),
        ("fp16_storage", {}, nn.Sequential(nn.Linear(8, 16)), "beyond the range of float16"),
        ("int4_storage", {}, nn.Sequential(nn.Linear(8, 16)), "beyond the range of float16"),
    ],
)
def test_a_model_that_a_recipe_does_not_fit_is_refused(recipe, parameters, module, message):
    if message.startswith("beyond"):
        with torch.no_grad():
            module[0].weight[0, 0] = 1e7
    width = 8 if message.startswith("beyond") else 4
    with pytest.raises(ValueError, match=message):
        parse_recipe(recipe, parameters).build(Subject(module=module, calibration=np.zeros((2, width), np.float32)))
