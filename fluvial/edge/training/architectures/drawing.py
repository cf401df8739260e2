"""The weights that a model starts from, drawn in numpy: the very bits that torch draws with the same seed.

Torch draws on the processor with MT19937 (Matsumoto and Nishimura, 1998), one number after the other: 24 of its 32
bits, as a float32 x in [0, 1), give x * (high - low) + low. Where the processor multiplies and adds in one step (FMA),
torch rounds once, and elsewhere twice. Here it is once everywhere, so that who draws a task's first model again gets
the operator's, whatever the machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.training.architectures.layers import Tensor

_BITS = 24
_AT_ONCE = 1 << 18
"""Elements: what is computed on the way to them, five times as much, then stays in a processor's cache."""


def drawn(tensors: Iterable[Tensor], seed: int) -> Iterator[NDArray[np.float32]]:
    """Each tensor's elements, float32 in its shape. seed: its lowest 32 bits count, as for torch."""
    # Legacy, which for numpy means that it will draw these numbers for ever (NEP 19).
    source = np.random.RandomState(seed % 2**32)
    for tensor in tensors:
        elements = np.empty(prod(tensor.shape), np.float32)
        for begin in range(0, elements.size, _AT_ONCE):
            _draw(tensor, source, elements[begin : begin + _AT_ONCE])
        yield elements.reshape(tensor.shape)


def _draw(tensor: Tensor, source: np.random.RandomState, into: NDArray[np.float32]) -> None:
    if tensor.bound is None:
        into[:] = tensor.constant
        return
    low, high = np.float32(-tensor.bound), np.float32(tensor.bound)
    bits = source.randint(0, 2**32, size=into.size, dtype=np.uint32) & np.uint32(2**_BITS - 1)
    # Exact in float64: the product has 48 bits, and `low`, which is of half its range, adds none. One rounding is left.
    into[:] = bits * (np.float64(high - low) / 2**_BITS) + np.float64(low)
