"""How figures are timed: wall time of one call, the device's work included."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

LEAST_CALLS, MOST_CALLS, SECONDS = 3, 2000, 0.4


def calls(run: Callable[[], object], seconds: float = SECONDS) -> list[float]:
    """Seconds of each call, after two to warm up: as many calls as the time allows, and LEAST_CALLS in any case."""
    found: list[float] = []
    for _ in range(2):
        run()
    wait()
    ends = time.perf_counter() + seconds
    while len(found) < LEAST_CALLS or (len(found) < MOST_CALLS and time.perf_counter() < ends):
        started = time.perf_counter()
        run()
        wait()
        found.append(time.perf_counter() - started)
    return found


def median(run: Callable[[], object], seconds: float = SECONDS) -> float:
    """Median seconds of a call."""
    return float(np.median(calls(run, seconds)))


def wait() -> None:
    """Until the device has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def devices() -> list[str]:
    """Those of this machine."""
    return ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
