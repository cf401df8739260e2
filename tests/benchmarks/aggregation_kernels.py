"""Rates of the exact sum's kernels on one core, in GB of update bytes per second.

    python -m tests.benchmarks.aggregation_kernels

Forty chunks of 1 MiB take turns, so that an update never lies in a cache when it is added.
"""

import time
from collections.abc import Callable

import numpy as np

from fluvial.encoding.inspection import inspect
from models.aggregation.fixed_point import ChunkSum, Int8Segment, finish
from models.aggregation.gram import partial_gram

CHUNK_ELEMENTS = 262_144
NUM_CHUNKS = 40
WEIGHT, FRACTION_BITS = 117, 40


def report(name: str, work: Callable[[], object], num_bytes: int, repeats: int = 5) -> None:
    """Print the best rate of some repeats, so that what else the machine does counts least."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    print(f"{name:44} {num_bytes / min(seconds) / 1e9:6.2f} GB/s")


def main() -> None:
    """Print a line a kernel."""
    random = np.random.default_rng(0)
    chunks = [random.standard_normal(CHUNK_ELEMENTS).astype(np.float32) / 100 for _ in range(NUM_CHUNKS)]
    quantised = [(chunk * 1000).astype(np.int8) for chunk in chunks]
    segments = [Int8Segment(start=0, stop=CHUNK_ELEMENTS, scale=0.001)]
    total = ChunkSum(CHUNK_ELEMENTS, FRACTION_BITS)
    num_bytes = 4 * CHUNK_ELEMENTS * NUM_CHUNKS
    report("float32 into int64, weighted", lambda: [total.add(chunk, WEIGHT) for chunk in chunks], num_bytes)
    report(
        "int8 into int64, weighted (bytes of int8)",
        lambda: [total.add_int8(chunk, segments, WEIGHT) for chunk in quantised],
        num_bytes // 4,
    )
    report("inspection", lambda: [inspect(chunk) for chunk in chunks], num_bytes)
    report("finish", lambda: [finish(chunk, total.values, 1000, FRACTION_BITS) for chunk in chunks], num_bytes)
    for count in (8, 20):
        rows = chunks[:count]
        report(f"Gram matrix of {count} updates", lambda rows=rows: partial_gram(rows), 4 * CHUNK_ELEMENTS * count)


if __name__ == "__main__":
    main()
