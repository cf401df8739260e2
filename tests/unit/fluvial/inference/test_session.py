"""Sessions over artefacts: what is refused. What they answer is tested with the recipes."""

import numpy as np
import pytest

from fluvial.inference.session import OnnxSession


@pytest.mark.parametrize("data", [b"", b"junk", bytes(1000)])
def test_bytes_that_are_no_model_are_refused(data):
    with pytest.raises(ValueError, match="no model that onnxruntime can run"):
        OnnxSession(data)


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="does not run on 'npu'"):
        OnnxSession(b"", device="npu")


def test_inputs_of_another_shape_or_type_are_refused():
    from onnx import TensorProto, helper

    shape = ["batch", 3]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["inputs"], ["outputs"])],
        "model",
        [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("outputs", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = OnnxSession(model.SerializeToString())
    assert session.run(np.ones((2, 3), np.float32)).tolist() == [[1, 1, 1], [1, 1, 1]]
    with pytest.raises(ValueError, match="takes float32"):
        session.run(np.ones((2, 4), np.float32))
    with pytest.raises(ValueError, match="takes float32"):
        session.run(np.ones((2, 3), np.float64))
    with pytest.raises(ValueError, match="no inputs"):
        session.run_in_batches(np.ones((0, 3), np.float32))
