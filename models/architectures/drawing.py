"""The weights that a model starts from, drawn in numpy: the very bits that torch draws with the same seed.

Torch draws on the processor with MT19937 (Matsumoto and Nishimura, 1998), one number after the other: 24 of its 32
bits, as a float32 x in [0, 1), give x * (high - low) + low. Where the processor multiplies and adds in one step (FMA),
torch rounds once, and elsewhere twice. Here it is once everywhere, so that who draws a task's first model again gets
the operator's, whatever the machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np
from numpy.typing import NDArray

from models.architectures.layers import Tensor

_BITS = 24


def drawn(tensors: Iterable[Tensor], seed: int) -> list[NDArray[np.float32]]:
    """The tensors' elements, float32 in their shapes. seed: its lowest 32 bits count, as for torch."""
    # Legacy, which for numpy means that it will draw these numbers for ever (NEP 19).
    source = np.random.RandomState(seed % 2**32)
    return [_elements(tensor, source) for tensor in tensors]


def _elements(tensor: Tensor, source: np.random.RandomState) -> NDArray[np.float32]:
    if tensor.bound is None:
        return np.full(tensor.shape, tensor.constant, np.float32)
    low, high = np.float32(-tensor.bound), np.float32(tensor.bound)
    bits = source.randint(0, 2**32, size=prod(tensor.shape), dtype=np.uint32) & np.uint32(2**_BITS - 1)
    # Exact in float64: the product has 48 bits, and `low`, which is of half its range, adds none. One rounding is left.
    exact: NDArray[np.float64] = bits * (np.float64(high - low) / 2**_BITS) + np.float64(low)
    return exact.astype(np.float32).reshape(tensor.shape)
