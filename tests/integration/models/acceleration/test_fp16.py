"""A model computed in float16."""

import numpy as np
import onnx
import torch

from fluvial.edge.training.architectures import build
from fluvial.inference.session import OnnxSession
from models.acceleration import Subject, parse_recipe

INPUTS = np.random.default_rng(4).normal(size=(16, 6)).astype(np.float32)


def test_weights_and_products_are_float16_and_the_edges_float32():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        module = build("multilayer_perceptron", {"inputs": 6, "classes": 2, "hidden": 64}).eval()
    data = parse_recipe("fp16", {}).build(Subject(module=module, calibration=INPUTS)).data
    graph = onnx.load_from_string(data).graph
    assert {tensor.data_type for tensor in graph.initializer if len(tensor.dims) > 1} == {onnx.TensorProto.FLOAT16}
    edges = [*graph.input, *graph.output]
    assert {edge.type.tensor_type.elem_type for edge in edges} == {onnx.TensorProto.FLOAT}
    with torch.no_grad():
        expected = module(torch.from_numpy(INPUTS)).numpy()
    np.testing.assert_allclose(OnnxSession(data).run(INPUTS), expected, atol=5e-3)
