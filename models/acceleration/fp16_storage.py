"""Weights stored as float16 and computed with as float32: half the bytes. Computing in float16 on a processor without
the instructions would be 5 to 12 times slower."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx
from numpy.typing import NDArray

from fluvial.edge.training.onnx_export import to_bytes
from models.acceleration.initializers import Stored, constant, node, replace_weights
from models.acceleration.recipe import Artefact, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Float16Storage:
    """Recipe `fp16_storage`; no parameters."""

    name: ClassVar[str] = "fp16_storage"

    def build(self, subject: Subject) -> Artefact:
        """The exported model with float16 weights. Raises ValueError for a weight beyond float16's range (65,504)."""
        model = subject.exported()
        replace_weights(model, _store)
        return Artefact(data=to_bytes(model), deterministic=True)


def _store(name: str, values: NDArray[np.float32]) -> Stored:
    with np.errstate(over="ignore"):
        halves = values.astype(np.float16)
    if not np.isfinite(halves).all():
        raise ValueError(f"the weight {name} has values beyond the range of float16")
    stored = f"{name}/float16"
    return Stored([constant(stored, halves)], [node("Cast", [stored], name, to=onnx.TensorProto.FLOAT)])
