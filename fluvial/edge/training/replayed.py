"""A module's kernels, launched as one: a small network's time on CUDA goes into launching them one by one.

For each number of examples the calls of a module are recorded into a CUDA graph, when that number comes the second
time, and replayed from then on. Nothing is padded: an answer never depends on what else lies in memory, whatever the
module makes of its batch. Compiling the module instead takes seconds for a size, and gains no more (measured:
docs/acceleration.md).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch

from fluvial.wire.foreign_text import logger

Call = Callable[[torch.Tensor], torch.Tensor]
"""Outputs on the device, of inputs float32[B, ...] on the processor or on the device."""

Capture = Callable[[Call, torch.Tensor], Call]
"""Records a call of inputs like these. What it gives takes inputs of this shape alone, and its outputs are overwritten
by the next call."""

MOST_SIZES = 64
"""Numbers of examples that are recorded for; the default of a task's largest batch. Others are called as they are."""

_WARM_UP = 3
_capturing = threading.Lock()
_log = logger(__name__)


class Replayed:
    """A call whose kernels are recorded by size. Threads may share it; they take turns."""

    def __init__(self, call: Call, capture: Capture) -> None:
        self._call, self._capture = call, capture
        self._recorded: dict[int, Call] = {}
        self._seen: set[int] = set()
        self._lock = threading.Lock()

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Outputs on the processor, the caller's own. Raises what the call raises."""
        with self._lock:
            return self._of_size(inputs)(inputs).to("cpu", copy=True)

    def _of_size(self, inputs: torch.Tensor) -> Call:
        size = len(inputs)
        if size in self._recorded:
            return self._recorded[size]
        if size not in self._seen or len(self._recorded) >= MOST_SIZES:
            self._seen.add(size)
            return self._call
        try:
            recorded = self._capture(self._call, inputs)
        except Exception as error:  # a module that asks the device for a value meanwhile, for example
            _log.info("calls of %d examples are not recorded: %s", size, error)
            recorded = self._call
        self._recorded[size] = recorded
        return recorded


class CudaGraphs:
    """Records calls into CUDA graphs of one pool of memory: they run one after the other."""

    def __init__(self) -> None:
        self._pool: Any = None

    def __call__(self, call: Call, inputs: torch.Tensor) -> Call:
        """As `Capture` says. Raises RuntimeError for a call that cannot be recorded."""
        placed = inputs.to("cuda", copy=True)
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):  # what is set up at the first calls cannot be recorded
                call(placed)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # Others may use the device meanwhile: only what this thread must not do is an error.
        with _capturing, torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            outputs = call(placed)
        self._pool = self._pool or graph.pool()

        def replay(others: torch.Tensor) -> torch.Tensor:
            placed.copy_(others)
            graph.replay()
            return outputs

        return replay
