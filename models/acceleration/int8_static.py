"""Eight-bit convolutions and matrix products, with the range of activations from calibration data.

Weights have seven bits by default. On processors with AVX2 but without VNNI, sums of two 8-bit products saturate at 16
bits: with 8-bit weights the same file answers differently there, and the loss falls on whoever is near the threshold.
With seven bits the products fit, and the answers are the same everywhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from fluvial.edge.training.onnx_export import INPUT
from models.acceleration.onnx_quantizer import quantised
from models.acceleration.recipe import Artefact, Subject

_BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8Static:
    """Recipe `int8_static`. weight_bits: 7, or 8 as the tools' default is. calibration_examples: as many of the first
    calibration inputs are looked at."""

    name: ClassVar[str] = "int8_static"

    weight_bits: int = 7
    calibration_examples: int = 512

    def __post_init__(self) -> None:
        """Raises ValueError for other than 7 or 8 bits, or no example."""
        if self.weight_bits not in (7, 8):
            raise ValueError(f"int8_static: weight_bits is {self.weight_bits}; it must be 7 or 8")
        if self.calibration_examples < 1:
            raise ValueError("int8_static: calibration_examples must be at least 1")

    def build(self, subject: Subject) -> Artefact:
        """The exported model with quantised Conv, Gemm and MatMul."""
        reader = _Batches(subject.calibration[: self.calibration_examples])

        def quantise(source: str, target: str) -> None:
            quantize_static(
                source,
                target,
                reader,
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv", "Gemm", "MatMul"],
                per_channel=True,
                reduce_range=self.weight_bits == 7,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )

        return Artefact(data=quantised(subject.exported(), quantise), deterministic=True)


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    """Calibration inputs, a batch at a time."""

    def __init__(self, inputs: NDArray[np.float32]) -> None:
        self._batches: Iterator[dict[str, Any]] = iter(
            [{INPUT: inputs[start : start + _BATCH]} for start in range(0, len(inputs), _BATCH)]
        )

    def get_next(self) -> dict[str, Any] | None:
        return next(self._batches, None)
