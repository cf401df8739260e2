"""Weights of small magnitude set to zero, and stored as a bitmap and the values that remain. It shrinks the file; no
dense kernel becomes faster by it. Source: Han, Pool, Tran and Dally, 2015, "Learning both Weights and Connections for
Efficient Neural Networks"; what it does to small groups: Hooker et al., 2020, "Characterising Bias in Compressed
Models"."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx
from numpy.typing import NDArray

from fluvial.edge.training.onnx_export import to_bytes
from models.acceleration.initializers import Stored, constant, node, replace_weights
from models.acceleration.recipe import Artefact, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedUnstructured:
    """Recipe `pruned_unstructured`. fraction: share of each weight tensor that becomes zero."""

    name: ClassVar[str] = "pruned_unstructured"

    fraction: float = 0.5

    def __post_init__(self) -> None:
        """Raises ValueError for a fraction outside (0, 1)."""
        if not 0 < self.fraction < 1:
            raise ValueError(f"pruned_unstructured: fraction is {self.fraction}; it must be between 0 and 1")

    def build(self, subject: Subject) -> Artefact:
        """The exported model with what remains of its weights."""
        model = subject.exported()
        replace_weights(model, self._store)
        return Artefact(data=to_bytes(model), deterministic=True)

    def _store(self, name: str, values: NDArray[np.float32]) -> Stored:
        flat = values.ravel()
        # A stable order: of equal magnitudes the first ones go, on every machine.
        order = np.argsort(np.abs(flat), kind="stable")
        kept = np.ones(flat.size, bool)
        kept[order[: int(self.fraction * flat.size)]] = False
        bitmap = np.packbits(kept, bitorder="little")

        def part(suffix: str) -> str:
            return f"{name}/{suffix}"

        return Stored(
            [
                constant(part("kept"), flat[kept]),
                constant(part("bitmap"), bitmap[:, None]),
                constant(part("masks"), (1 << np.arange(8)).astype(np.uint8)[None, :]),
                constant(part("no-bit"), np.array(0, np.uint8)),
                constant(part("flat"), np.array([-1], np.int64)),
                constant(part("zero"), np.array([0], np.int64)),
                constant(part("end"), np.array([flat.size], np.int64)),
                constant(part("axis"), np.array(0, np.int64)),
                constant(part("one"), np.array(1, np.int64)),
                constant(part("first"), np.array(0, np.int64)),
                constant(part("last"), np.array(max(0, int(kept.sum()) - 1), np.int64)),
                constant(part("pruned"), np.array(0, np.float32)),
                constant(part("shape"), np.array(values.shape, np.int64)),
            ],
            [
                node("BitwiseAnd", [part("bitmap"), part("masks")], part("bits")),
                node("Equal", [part("bits"), part("no-bit")], part("unset")),
                node("Not", [part("unset")], part("set")),
                node("Reshape", [part("set"), part("flat")], part("all")),
                node("Slice", [part("all"), part("zero"), part("end")], part("is-kept")),
                node("Cast", [part("is-kept")], part("ones"), to=onnx.TensorProto.INT64),
                node("CumSum", [part("ones"), part("axis")], part("ranks")),
                node("Sub", [part("ranks"), part("one")], part("before")),
                node("Clip", [part("before"), part("first"), part("last")], part("places")),
                node("Gather", [part("kept"), part("places")], part("spread")),
                node("Where", [part("is-kept"), part("spread"), part("pruned")], part("values")),
                node("Reshape", [part("values"), part("shape")], name),
            ],
        )
