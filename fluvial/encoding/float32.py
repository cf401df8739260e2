"""float32, little-endian, as it is: lossless, four bytes an element."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fluvial.encoding.base import Float32
from fluvial.encoding.elementwise import ElementwiseEncoding


class Float32Encoding(ElementwiseEncoding):
    """A decoded chunk is a read-only view of the bytes, and the bytes are one of the delta where it lies in one piece:
    nothing is copied."""

    name = "float32"
    lossless: ClassVar[bool] = True
    dtype = np.dtype("<f4")

    def to_codes(self, values: Float32) -> npt.NDArray[Any]:
        return values.astype("<f4", copy=False)

    def from_codes(self, codes: npt.NDArray[Any]) -> Float32:
        return codes
