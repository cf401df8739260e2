"""How fast a model answers here, and what it costs. Times cannot be recomputed by anybody: they are evidence of speed,
and never decide alone."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fluvial.inference import nvml

LEAST_CALLS_FOR_P99 = 10_000
"""A 99th percentile of fewer calls is noise (MLPerf Inference asks for 262,742)."""

FEW_CALLS, CALLS_SECONDS = 500, 1.0
"""A slow model is called so often at least, and no longer than so many seconds beyond that."""

_POWERCAP = Path("/sys/class/powercap")

Run = Callable[[NDArray[np.float32]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """latency: microseconds of one call with one example; p99 is 0 below LEAST_CALLS_FOR_P99 calls. throughput:
    examples a second at `batch`. processor_us: processor time for an example at `batch`. peak_memory_bytes: of this
    process so far. joules: for an example at `batch`, of the processor (RAPL) or the NVIDIA devices (NVML) that the
    model ran on; 0 where the machine does not tell."""

    latency_p50_us: float
    latency_p95_us: float
    latency_p99_us: float
    calls: int
    throughput: float
    batch: int
    processor_us: float
    peak_memory_bytes: int
    joules: float


def measure_timing(
    run: Run,
    inputs: NDArray[np.float32],
    *,
    batch: int,
    calls: int | None = None,
    batches: int = 20,
    device: str = "cpu",
) -> Timing:
    """Time `run` on the first inputs, after a warm-up. calls: with one example; without it as many as a 99th percentile
    needs, or as FEW_CALLS and CALLS_SECONDS allow. device: whose energy is counted, cpu or cuda. Raises ValueError for
    no inputs."""
    if not len(inputs):
        raise ValueError("there are no inputs")
    single = inputs[:1]
    many = np.resize(inputs, (batch, *inputs.shape[1:]))
    for warm_up in (single, many, single, many, single):  # what a size needs may be made when it comes again
        run(warm_up)
    latencies = np.array(list(_latencies_us(run, single, calls)))
    energy, processor, started = joules_so_far(device), time.process_time(), time.perf_counter()
    for _ in range(batches):
        run(many)
    seconds = time.perf_counter() - started
    examples = batch * batches
    used = joules_so_far(device)
    return Timing(
        latency_p50_us=float(np.percentile(latencies, 50)),
        latency_p95_us=float(np.percentile(latencies, 95)),
        latency_p99_us=float(np.percentile(latencies, 99)) if len(latencies) >= LEAST_CALLS_FOR_P99 else 0.0,
        calls=len(latencies),
        throughput=examples / seconds,
        batch=batch,
        processor_us=(time.process_time() - processor) / examples * 1e6,
        peak_memory_bytes=_peak_memory_bytes(),
        joules=max(0.0, used - energy) / examples if used and energy else 0.0,
    )


def _latencies_us(run: Run, single: NDArray[np.float32], calls: int | None) -> Iterator[float]:
    """Times of calls one after the other."""
    most, started = calls or LEAST_CALLS_FOR_P99, time.perf_counter()
    for number in range(most):
        if calls is None and number >= FEW_CALLS and time.perf_counter() - started > CALLS_SECONDS:
            return
        yield _elapsed_us(run, single)


def _elapsed_us(run: Run, inputs: NDArray[np.float32]) -> float:
    started = time.perf_counter()
    run(inputs)
    return (time.perf_counter() - started) * 1e6


def _peak_memory_bytes() -> int:
    """Largest resident set of this process: kibibytes on Linux, bytes on macOS; 0 where the system does not count
    it."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def joules_so_far(device: str = "cpu") -> float:
    """Energy that this machine's processor packages, or for cuda its NVIDIA devices, have used since some moment; 0
    where nobody may read it. Never both: what stands idle beside would be counted to what works."""
    if device == "cuda":
        return nvml.millijoules() / 1000
    total = 0
    for counter in _POWERCAP.glob("intel-rapl:*/energy_uj"):
        if os.access(counter, os.R_OK):
            total += int(counter.read_text())
    return total / 1e6
