"""Weights and arithmetic in float16: for accelerators, whose units for it are twice as fast and more. On a processor
without such units it is slower than float32; there `fp16_storage` has the same bytes."""

from dataclasses import dataclass
from typing import ClassVar

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

from fluvial.edge.training.onnx_export import bare, to_bytes
from models.acceleration.recipe import Artefact, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Float16:
    """Recipe `fp16`. Inputs and outputs stay float32."""

    name: ClassVar[str] = "fp16"

    def build(self, subject: Subject) -> Artefact:
        """The exported model, cast at its edges."""
        model = convert_float_to_float16(subject.exported(), keep_io_types=True)
        _sort(model.graph)
        return Artefact(data=to_bytes(bare(model)), deterministic=True)


def _sort(graph: onnx.GraphProto) -> None:
    """Nodes behind those whose outputs they take, otherwise in their order: the tool appends its casts."""
    waiting, done = list(graph.node), {each.name for part in (graph.input, graph.initializer) for each in part}
    del graph.node[:]
    while waiting:
        ready = [node for node in waiting if all(not name or name in done for name in node.input)]
        assert ready, "the graph has a cycle"
        graph.node.extend(ready)
        done.update(name for node in ready for name in node.output)
        waiting = [node for node in waiting if not any(node is each for each in ready)]
