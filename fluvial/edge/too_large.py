"""Whether an update is beyond the limits that its round announces, and where: a participant knows it before the gate
refuses it.

Shapes: D elements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from fluvial.encoding.limits import largest_element, largest_norm
from fluvial.encoding.span import elements_of
from fluvial.wire.records import Round

REMEDY = (
    "a smaller learning_rate or fewer epochs make updates smaller, inputs of a scale near 1 what BatchNorm keeps of "
    "them; the task can allow more"
)

_PIECE = 1 << 18  # elements looked at together, so that a large delta is not copied as a whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """measure: what was measured, in words. limit: its name in a task file. tensor: which has the most of it."""

    measure: str
    value: float
    limit: str
    most: float
    tensor: str

    def in_words(self) -> str:
        """What is beyond which limit."""
        return f"its {self.measure} is {self.value:.4g}, most of it in {self.tensor}, and {self.limit} is {self.most:g}"


def excess(delta_D: NDArray[np.float32], round_: Round) -> Excess | None:
    """How far float32[D], finite, is beyond a limit of the round; None where it is within both."""
    if _largest(delta_D) > largest_element(round_.max_abs):
        return _most(delta_D, round_, _largest, "largest element", "limits.max_abs", round_.max_abs)
    if round_.max_norm and _norm(delta_D) > largest_norm(round_.max_norm):
        return _most(delta_D, round_, _norm, "L2 norm", "limits.max_norm", round_.max_norm)
    return None


def _most(
    delta_D: NDArray[np.float32],
    round_: Round,
    measure: Callable[[NDArray[np.float32]], float],
    called: str,
    limit: str,
    most: float,
) -> Excess:
    parts = np.split(delta_D, np.cumsum([elements_of(tensor) for tensor in round_.layout])[:-1])
    values = [measure(part) for part in parts]
    tensor = round_.layout[int(np.argmax(values))].name
    return Excess(measure=called, value=measure(delta_D), limit=limit, most=most, tensor=tensor)


def _largest(values: NDArray[np.float32]) -> float:
    return max(float(values.max()), -float(values.min())) if values.size else 0.0


def _norm(values: NDArray[np.float32]) -> float:
    pieces = (values[first : first + _PIECE].astype(np.float64) for first in range(0, values.size, _PIECE))
    return sqrt(sum(float(piece @ piece) for piece in pieces))
