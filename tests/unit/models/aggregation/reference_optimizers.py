"""Server optimizers as the papers print them, one element at a time."""

from collections.abc import Sequence
from math import sqrt
from typing import Any


def reference_steps(spec: dict[str, Any], model: Sequence[float], deltas: Sequence[Sequence[float]]) -> list[float]:
    """The model after all deltas."""
    return [_element(spec, start, [delta[i] for delta in deltas]) for i, start in enumerate(model)]


def _element(spec: dict[str, Any], x: float, deltas: Sequence[float]) -> float:
    match spec["name"]:
        case "momentum":
            velocity = 0.0
            for delta in deltas:
                velocity = spec["momentum"] * velocity + delta
                x += spec["learning_rate"] * velocity
        case "dynamic":
            h = 0.0
            for delta in deltas:
                h -= spec["alpha"] * spec.get("participation", 1.0) * delta
                x = (x + delta) - h / spec["alpha"]
        case name:
            beta1 = spec.get("beta1", 0.0)
            tau = spec.get("adaptivity", 1e-3)
            m, v = 0.0, tau**2
            for delta in deltas:
                m = beta1 * m + (1 - beta1) * delta
                if name == "adagrad":
                    v = v + m**2
                elif name == "adam":
                    v = spec["beta2"] * v + (1 - spec["beta2"]) * m**2
                else:
                    sign = (v > m**2) - (v < m**2)
                    v = v - (1 - spec["beta2"]) * m**2 * sign
                x += spec["learning_rate"] * m / (sqrt(v) + tau)
    return x
