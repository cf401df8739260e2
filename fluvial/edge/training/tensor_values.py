"""Between a tensor of any floating dtype and the float32 elements that travel for it.

float16 and bfloat16 are exact in float32, float64 is three planes (`fluvial.encoding.planes`).

What is exact: a value and back, bit by bit, the sign of zero too; an update of zeros, which leaves each plane as it is
(-0.0 becomes 0.0); the mean of each plane before its one rounding to float32. A float64 weight that changes is thus
averaged to half a float32 unit of its high plane, 2**-24 of its size.
"""

from __future__ import annotations

from math import prod

import numpy as np
import torch
from numpy.typing import NDArray

from fluvial.encoding.planes import planes_of, values_of
from fluvial.encoding.span import elements_of
from fluvial.wire.records import TensorLayout

Vector = NDArray[np.float32]

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16, "float64": torch.float64}
"""The dtypes of tensors that travel, by their names in a layout."""
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def layout_of_tensor(name: str, tensor: torch.Tensor) -> TensorLayout:
    """Name, shape and dtype of a tensor that travels. Raises ValueError for a dtype that does not."""
    if tensor.dtype not in NAMES:
        raise ValueError(f"tensor {name} is {str(tensor.dtype).removeprefix('torch.')}: {', '.join(DTYPES)} travel")
    return TensorLayout(name=name, shape=tuple(tensor.shape), dtype=NAMES[tensor.dtype])


def to_elements(name: str, tensor: torch.Tensor) -> Vector:
    """float32 elements of a tensor, row-major, as a copy. Raises ValueError for a float64 beyond float32."""
    values = tensor.detach().to("cpu").contiguous().reshape(-1)
    if values.dtype != torch.float64:
        return np.array(values.to(torch.float32).numpy())
    return planes_of(values.numpy(), name)


def from_elements(elements: Vector, layout: TensorLayout) -> torch.Tensor:
    """The tensor, of its own dtype and shape, on the processor: rounded to the nearest where its dtype is narrower."""
    if layout.dtype == "float64":
        return torch.from_numpy(values_of(elements)).reshape(layout.shape)
    plain = torch.from_numpy(np.array(elements, np.float32)).reshape(layout.shape)
    return plain.to(DTYPES[layout.dtype])


def difference(name: str, after: torch.Tensor, before: torch.Tensor) -> Vector:
    """float32 elements of after - before: float64 subtracted as such, all else in float32."""
    if after.dtype == torch.float64:
        return to_elements(name, after.detach().to("cpu") - before.detach().to("cpu"))
    return to_elements(name, after) - to_elements(name, before)


def split(vector: Vector, layout: tuple[TensorLayout, ...]) -> list[Vector]:
    """The elements of each tensor. Raises ValueError for a vector of another length."""
    sizes = [elements_of(tensor) for tensor in layout]
    if vector.shape != (sum(sizes),):
        raise ValueError(
            f"the vector has shape {list(vector.shape)}, but the module's state has {sum(sizes)} elements in "
            f"{len(layout)} tensors: the model is another than the one that made it"
        )
    return np.split(vector, np.cumsum(sizes)[:-1]) if sizes else []


def num_bytes(tensor: torch.Tensor) -> int:
    """Bytes of a tensor's elements."""
    return prod(tensor.shape) * tensor.element_size()
