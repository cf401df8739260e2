"""Weights inside an ONNX model that are stored in another form than they are computed with.

A recipe replaces a float32 initializer by smaller ones and nodes that make the float32 tensor of them. They depend on
constants alone, so the runtime computes them once, when it loads the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

LEAST_ELEMENTS = 64
"""Smaller tensors (biases, scales) stay as they are: their share of the bytes is small, their effect is not."""


@dataclass(frozen=True, slots=True)
class Stored:
    """initializers and nodes whose last output is the tensor; names begin with `prefix`."""

    initializers: Sequence[onnx.TensorProto]
    nodes: Sequence[onnx.NodeProto]


Store = Callable[[str, NDArray[np.float32]], Stored]
"""Given the tensor's name, which the last node must give its result, and its values."""


def replace_weights(model: onnx.ModelProto, store: Store) -> int:
    """Store every float32 weight of at least LEAST_ELEMENTS elements and two dimensions in another form. How many."""
    graph = model.graph
    kept: list[onnx.TensorProto] = []
    unpacking: list[onnx.NodeProto] = []
    count = 0
    for tensor in graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) < 2 or np.prod(tensor.dims) < LEAST_ELEMENTS:
            kept.append(tensor)
            continue
        stored = store(tensor.name, numpy_helper.to_array(tensor))
        kept.extend(stored.initializers)
        unpacking.extend(stored.nodes)
        count += 1
    nodes = list(graph.node)
    del graph.initializer[:]
    del graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend([*unpacking, *nodes])
    return count


def constant(name: str, values: NDArray[np.generic]) -> onnx.TensorProto:
    """An initializer of numpy's values."""
    return numpy_helper.from_array(np.ascontiguousarray(values), name)


def node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> onnx.NodeProto:
    """A node with one output, named after it."""
    return helper.make_node(kind, list(inputs), [output], name=output + "/" + kind, **attributes)
