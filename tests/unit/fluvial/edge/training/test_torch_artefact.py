"""Artefacts that torch runs."""

import sys
from functools import partial

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

from fluvial.edge.artefact_kinds import is_measured_on, runs_in_torch
from fluvial.edge.safetensors import metadata_of
from fluvial.edge.sessions import open_session
from fluvial.edge.training.architectures import build
from fluvial.edge.training.torch_artefact import PRECISIONS, pack

PARAMETERS = {"inputs": 6, "classes": 3, "hidden": 8}
INPUTS = np.random.default_rng(9).normal(size=(7, 6)).astype(np.float32)


def a_module(**other):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return build("multilayer_perceptron", {**PARAMETERS, **other})


def packed(precision="bfloat16", module=None):
    return pack(module or a_module(), torch.from_numpy(INPUTS), precision)


ARTEFACT = packed()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_file_is_read_by_others_and_holds_the_state_in_its_type(precision, tmp_path):
    path = tmp_path / "artefact.safetensors"
    path.write_bytes(packed(precision))
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"format": "fluvial.torch/1", "computes_in": precision, "inputs": "[6]"}
        for name, tensor in a_module().state_dict().items():
            assert torch.equal(file.get_tensor(name), tensor.to(PRECISIONS[precision]))


def test_the_same_module_gives_the_same_bytes_and_stays_as_it_was():
    module = a_module().train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    assert packed(module=module) == packed(module=module) == packed()
    assert module.training
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_session_answers_as_the_module_in_that_type_and_says_what_runs_it(precision):
    session = open_session(packed(precision), module=lambda: a_module(classes=3))
    with torch.inference_mode():
        expected = a_module().to(PRECISIONS[precision])(torch.from_numpy(INPUTS).to(PRECISIONS[precision]))
    np.testing.assert_array_equal(session.run(INPUTS), expected.float().numpy())
    np.testing.assert_allclose(session.run_in_batches(INPUTS, 2), expected.float().numpy(), atol=0.02)
    assert session.runtime == f"torch {torch.__version__.partition('+')[0]} cpu {precision}"
    assert session.input_shape == (None, 6)
    for wrong in (INPUTS[:, :5], INPUTS.astype(np.float64)):
        with pytest.raises(ValueError, match="takes float32 of shape"):
            session.run(wrong)


def test_it_is_the_artefacts_numbers_that_answer_and_not_the_modules():
    other = a_module()
    nn.init.constant_(other[0].weight, 0.5)
    answers = open_session(packed("float32"), module=lambda: other).run(INPUTS)
    with torch.inference_mode():
        np.testing.assert_allclose(answers, a_module()(torch.from_numpy(INPUTS)).numpy(), atol=1e-6)


class Refusing(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 2)

    def forward(self, values):
        return self.layer(values.float())


def test_a_module_that_cannot_compute_in_the_type_is_refused():
    with pytest.raises(ValueError, match="cannot compute in bfloat16"):
        packed(module=Refusing())


def test_weights_beyond_the_type_are_refused_and_infinities_that_were_there_are_not():
    module = a_module()
    with torch.no_grad():
        module[0].weight[0, 0] = 1e5
    with pytest.raises(ValueError, match=r"0\.weight has values beyond the range of float16"):
        packed("float16", module)
    module.register_buffer("bound", torch.tensor(float("inf")))
    assert runs_in_torch(packed("bfloat16", module))


@pytest.mark.parametrize(
    ("artefact", "module", "message"),
    [
        (ARTEFACT, partial(a_module, classes=4), "the task's module as"),
        (ARTEFACT, partial(build, "logistic_regression", {"inputs": 6, "classes": 3}), "differ in"),
        (ARTEFACT.replace(b"bfloat16", b"bfloat17"), a_module, "none that torch runs"),
        (ARTEFACT.replace(b"[6]", b"[6}"), a_module, "what inputs it takes"),
        (ARTEFACT[:-4], a_module, "no safetensors file"),
        (ARTEFACT, None, "the task's code is not known here"),
    ],
)
def test_what_does_not_fit_is_refused(artefact, module, message):
    with pytest.raises(ValueError, match=message):
        open_session(artefact, module=module)


def test_where_torch_is_not_the_error_says_what_brings_it(monkeypatch):
    monkeypatch.delitem(sys.modules, "fluvial.edge.training.torch_session", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ValueError, match=r"pip install 'fluvial\[torch\]'"):
        open_session(ARTEFACT, module=a_module)


@pytest.mark.parametrize("junk", [b"", b"\x08\x0a", b"\xff" * 40, (5).to_bytes(8, "little") + b"[1,2]xx"])
def test_other_bytes_are_not_torchs(junk):
    assert not metadata_of(junk)
    assert not runs_in_torch(junk)


def test_what_torch_runs_is_measured_on_accelerators_alone():
    assert [is_measured_on(artefact, device) for artefact in (ARTEFACT, b"onnx") for device in ("cpu", "cuda")] == [
        False,
        True,
        True,
        True,
    ]
