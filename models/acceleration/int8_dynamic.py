"""Eight-bit matrix products whose activations are scaled as they come: no calibration, and faster where products of
matrices dominate. Weights have seven bits, for the reason that `int8_static` gives.

The scale is that of the whole batch, so an answer depends a little on who else is in it: where each must be answered as
if it were alone, take `int8_static`."""

from dataclasses import dataclass
from typing import ClassVar

from onnxruntime.quantization import QuantType, quantize_dynamic

from models.acceleration.onnx_quantizer import quantised
from models.acceleration.recipe import Artefact, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8Dynamic:
    """Recipe `int8_dynamic`. weight_bits: 7 gives the same answers on every processor; 8 does not."""

    name: ClassVar[str] = "int8_dynamic"

    weight_bits: int = 7

    def __post_init__(self) -> None:
        """Raises ValueError for other than 7 or 8 bits."""
        if self.weight_bits not in (7, 8):
            raise ValueError(f"int8_dynamic: weight_bits is {self.weight_bits}; it must be 7 or 8")

    def build(self, subject: Subject) -> Artefact:
        """The exported model with quantised Gemm and MatMul."""

        def quantise(source: str, target: str) -> None:
            quantize_dynamic(
                source,
                target,
                op_types_to_quantize=["Gemm", "MatMul"],
                per_channel=True,
                reduce_range=self.weight_bits == 7,
                weight_type=QuantType.QInt8,
            )

        return Artefact(data=quantised(subject.exported(), quantise), deterministic=True)
