"""Inputs of a request as bytes, in the datatype that they have already. Pure.

Whatever a model is given becomes float32. What is sent need not be: the values of a picture are bytes, and as float32
there would be four times as many of them for broker, signature and every copy on the way. Datatypes have the names of
the Open Inference Protocol; `divisor` is what pictures were divided by before training, so that the same float32 comes
out (a product with 1 / 255 rounds to other bits than a division by 255).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

DATATYPES: Mapping[str, np.dtype[np.generic]] = {
    "FP32": np.dtype("<f4"),
    "FP16": np.dtype("<f2"),
    "UINT8": np.dtype("u1"),
}
"""Datatypes of inputs, little-endian."""

_LEAST, _MOST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
_NAMES = {"e": "FP16", "B": "UINT8"}


def packed(inputs: NDArray[np.generic]) -> tuple[str, NDArray[np.generic]]:
    """Datatype and array whose bytes a request carries, row-major: bytes and float16 as they are, all else as
    float32; what that does not hold is infinite, and refused where the model runs. Raises ValueError for what are no
    numbers: of complex ones and of dates numpy would make some."""
    if inputs.dtype.kind not in "fiub":
        raise ValueError(f"inputs are {inputs.dtype}, which are no numbers")
    datatype = _NAMES.get(inputs.dtype.char, "FP32")
    with np.errstate(over="ignore"):
        return datatype, np.ascontiguousarray(inputs, DATATYPES[datatype])


def unpacked(data: bytes, datatype: str, divisor: float) -> NDArray[np.float32]:
    """float32[N] of N values of a known datatype. What overflows is infinite."""
    values = np.frombuffer(data, DATATYPES[datatype])
    if divisor == 1.0:
        return values.astype(np.float32, copy=False)
    with np.errstate(over="ignore"):
        divided: NDArray[np.float32] = values.astype(np.float32, copy=False) / np.float32(divisor)
    return divided


def check_divisor(divisor: float) -> None:
    """Raises ValueError for what is no positive float32."""
    if not _LEAST <= divisor <= _MOST:  # NaN is not, either
        raise ValueError(f"values are divided by a positive number, not by {divisor}")
