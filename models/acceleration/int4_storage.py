"""Weights stored as four-bit integers in blocks, each with a scale, and computed with as float32: an eighth of the
bytes.

Rounding to the nearest of 15 symmetric levels; the scale of a block is its largest magnitude / 7 in float16, as in
"GPTQ" and its successors' baseline, round-to-nearest (Dettmers and Zettlemoyer, 2023, arXiv 2212.09720).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from fluvial.edge.training.onnx_export import to_bytes
from models.acceleration.initializers import Stored, constant, node, replace_weights
from models.acceleration.recipe import Artefact, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Int4Storage:
    """Recipe `int4_storage`. block: weights that share a scale, even."""

    name: ClassVar[str] = "int4_storage"

    block: int = 64

    def __post_init__(self) -> None:
        """Raises ValueError for an odd block or an empty one."""
        if self.block < 2 or self.block % 2:
            raise ValueError(f"int4_storage: block is {self.block}; it must be even and at least 2")

    def build(self, subject: Subject) -> Artefact:
        """The exported model with four-bit weights. Raises ValueError for a weight whose scale float16 cannot hold."""
        model = subject.exported()
        replace_weights(model, self._store)
        return Artefact(data=to_bytes(model), deterministic=True)

    def _store(self, name: str, values: NDArray[np.float32]) -> Stored:
        flat = values.ravel()
        blocks = np.pad(flat, (0, -len(flat) % self.block)).reshape(-1, self.block)
        with np.errstate(over="ignore"):
            scales = (np.abs(blocks).max(axis=1) / np.float32(7)).astype(np.float16)
        if not np.isfinite(scales).all():
            raise ValueError(f"the weight {name} has values beyond the range of float16")
        scales[scales == 0] = 1
        levels = np.clip(np.rint(blocks / scales[:, None].astype(np.float32)), -7, 7).astype(np.int8)
        packed = levels.reshape(-1, 2)
        nibbles = ((packed[:, 1].astype(np.uint8) & 0x0F) << 4) | (packed[:, 0].astype(np.uint8) & 0x0F)
        four, scale = f"{name}/int4", f"{name}/scale"
        shape, end = f"{name}/shape", f"{name}/end"
        return Stored(
            [
                helper.make_tensor(four, onnx.TensorProto.INT4, list(levels.shape), nibbles.tobytes(), raw=True),
                constant(scale, scales[:, None]),
                constant(f"{name}/zero", np.array([0], np.int64)),
                constant(end, np.array([flat.size], np.int64)),
                constant(f"{name}/flat", np.array([-1], np.int64)),
                constant(shape, np.array(values.shape, np.int64)),
            ],
            [
                # No DequantizeLinear: the runtime keeps those for its own use, and would unpack with each call.
                node("Cast", [four], f"{name}/levels", to=onnx.TensorProto.FLOAT),
                node("Cast", [scale], f"{name}/scales", to=onnx.TensorProto.FLOAT),
                node("Mul", [f"{name}/levels", f"{name}/scales"], f"{name}/blocks"),
                node("Reshape", [f"{name}/blocks", f"{name}/flat"], f"{name}/padded"),
                node("Slice", [f"{name}/padded", f"{name}/zero", end], f"{name}/values"),
                node("Reshape", [f"{name}/values", shape], name),
            ],
        )
