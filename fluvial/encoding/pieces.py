"""What an exact sum adds of a chunk. Encodings are many, kinds of pieces few. Shapes: n elements of a chunk.

Every kind stands for values that are exact: no two who add it can round it differently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Floats:
    """Elements [start, start + m) are values float32[m]."""

    start: int
    values: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scaled:
    """Elements [start, start + m) are codes, integers[m] of at most 8 bits, times a scale that float64 holds."""

    start: int
    codes: npt.NDArray[np.integer[Any]]
    scale: float


@dataclass(frozen=True, slots=True)
class Sparse:
    """Elements at indices int64[m], ascending, are values float32[m]; all others are 0."""

    indices: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sums:
    """All elements are integers int64[n] over a scale: sums that were made already, with their weight in the scale."""

    integers: npt.NDArray[np.int64]
    scale: float

    def mean(self) -> npt.NDArray[np.float32]:
        """What the sums stand for, rounded to float32."""
        return (self.integers / self.scale).astype(np.float32)


Piece = Floats | Scaled | Sparse | Sums
