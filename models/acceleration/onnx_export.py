"""A torch module as an ONNX model whose bytes depend on the module alone."""

from __future__ import annotations

import logging
import warnings

import onnx
import torch
from torch import nn

OPSET = 21
"""Operator set: the first with four-bit integers."""

INPUT, OUTPUT = "inputs", "outputs"


def export(module: nn.Module, example: torch.Tensor) -> onnx.ModelProto:
    """The module in evaluation mode, float32[B, ...] to float32[B, ...] with any B. example: at least two inputs.

    Exporters write where in their source a node comes from: names of files on this machine. What is not needed to run
    is left out, so that the same module gives the same bytes. Raises ValueError for a module that cannot be exported.
    """
    was_training = module.training
    module.eval()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of the exporter's own dependencies
            logging.getLogger("torch.onnx").setLevel(logging.ERROR)
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                verbose=False,
            )
    except Exception as error:
        raise ValueError(f"the model cannot be exported to ONNX: {error}") from error
    finally:
        module.train(was_training)
    assert program is not None
    return bare(program.model_proto)


def bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without documentation, metadata and producer; the same object."""
    model.producer_name, model.producer_version, model.doc_string = "fluvial", "", ""
    del model.metadata_props[:]
    graph = model.graph
    used = {node.domain for node in graph.node}
    domains = [operators for operators in model.opset_import if operators.domain in used or not operators.domain]
    del model.opset_import[:]
    model.opset_import.extend(domains)
    graph.name, graph.doc_string = "model", ""
    del graph.metadata_props[:]
    del graph.value_info[:]
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        part.doc_string = ""
        del part.metadata_props[:]
    for function in model.functions:
        function.doc_string = ""
        del function.metadata_props[:]
        for node in function.node:
            node.doc_string = ""
            del node.metadata_props[:]
    return model


def to_bytes(model: onnx.ModelProto) -> bytes:
    """Serialised with maps in order. Raises onnx.checker.ValidationError for an invalid model: a bug."""
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString(deterministic=True)
    return data
