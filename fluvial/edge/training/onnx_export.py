"""A torch module as an ONNX model whose bytes depend on the module alone."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import Any

import onnx
import torch
from torch import nn

from fluvial.edge.training.batches import Tensors, call

OPSET = 21
"""Operator set: the first with four-bit integers."""

INPUT, OUTPUT = "inputs", "outputs"


def export(module: nn.Module, example: Tensors) -> onnx.ModelProto:
    """The module in evaluation mode, of any number B of examples. example: at least two, as the module takes them: one
    tensor [B, ...], which the model calls `inputs`; a tuple by position, `inputs_0` and so on; a mapping by its names.
    The model's output is `outputs`.

    Exporters write where in their source a node comes from: names of files on this machine. What is not needed to run
    is left out, so that the same module gives the same bytes. Raises ValueError for a module that cannot be exported.
    """
    was_training = module.training
    module.eval()
    names: list[str]
    positional: tuple[torch.Tensor, ...]
    named: dict[str, torch.Tensor] | None = None
    batch = {0: torch.export.Dim("batch")}
    if isinstance(example, Mapping):
        names, positional, named = list(example), (), dict(example)
    elif isinstance(example, torch.Tensor):
        names, positional = [INPUT], (example,)
    else:
        names, positional = [f"{INPUT}_{number}" for number in range(len(example))], tuple(example)
    shapes: Any = dict.fromkeys(named, batch) if named else tuple(batch for _ in positional)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of the exporter's own dependencies
            logging.getLogger("torch.onnx").setLevel(logging.ERROR)
            plain = isinstance(module(*positional, **(named or {})), torch.Tensor)
            if not plain:  # as the parameters of `_Predictions.forward` are called
                shapes = {"named": shapes} if named else (shapes,)
            program = torch.onnx.export(
                module if plain else _Predictions(module),
                positional,
                kwargs=named,
                dynamo=True,
                opset_version=OPSET,
                input_names=names,
                output_names=[OUTPUT],
                dynamic_shapes=shapes,
                verbose=False,
            )
    except Exception as error:
        raise ValueError(f"the model cannot be exported to ONNX: {error}") from error
    finally:
        module.train(was_training)
    assert program is not None
    return bare(program.model_proto)


class _Predictions(nn.Module):
    """A module of whose output the predictions alone are wanted."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: torch.Tensor, **named: torch.Tensor) -> Any:
        return call(self.module, named or inputs)


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


def from_bytes(data: bytes) -> onnx.ModelProto:
    """The model that `to_bytes` gave."""
    return onnx.load_model_from_string(data)
