"""The task's own module, run by torch in a narrower type or in its own: for accelerators, where bfloat16 and float16
are computed in units of their own.

The artefact is the module's state in that type, and no graph: it is run where the task's code and torch are. On a
processor it is slower than the same model in onnxruntime, so it is measured, and serves, on accelerators alone."""

from dataclasses import dataclass
from typing import ClassVar

from fluvial.edge.training.torch_artefact import pack
from models.acceleration.recipe import Artefact, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchFloat32:
    """Recipe `torch_fp32`; no parameters. Products of matrices are computed as torch is set to."""

    name: ClassVar[str] = "torch_fp32"
    precision: ClassVar[str] = "float32"

    def build(self, subject: Subject) -> Artefact:
        """The module's state, all of it, in this type. Raises ValueError for a module that cannot compute in it, and
        for weights beyond its range."""
        return Artefact(data=pack(subject.module, subject.example, self.precision), deterministic=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchBfloat16(TorchFloat32):
    """Recipe `torch_bf16`: float32's range with 8 bits of precision."""

    name: ClassVar[str] = "torch_bf16"
    precision: ClassVar[str] = "bfloat16"


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchFloat16(TorchFloat32):
    """Recipe `torch_fp16`: 11 bits of precision, nothing beyond 65,504."""

    name: ClassVar[str] = "torch_fp16"
    precision: ClassVar[str] = "float16"
