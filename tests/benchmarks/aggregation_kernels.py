"""Rates of the arithmetic on one core, without broker or engine, in MB of update bytes per second of processor time.

    python -m tests.benchmarks.aggregation_kernels [--updates 8,20,50,100] [--device cuda] [--json FILE]

Chunks of 1 MiB take turns, so that an update never lies in a cache when it is added. Of each rule three things count:
measuring (Gram matrix or norms, where the rule asks for it), planning, and combining; the last is compared with
numpy.sort over the same rows, and with torch.median on one thread.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.encoding.inspection import inspect
from models.aggregation.combination import combine_chunk
from models.aggregation.fixed_point import ChunkSum, finish
from models.aggregation.gram import partial_gram, partial_norm
from models.aggregation.plan import Gram, Measure, RoundUpdates
from models.aggregation.precision import fraction_bits
from models.aggregation.rule import RULES, Rule, parse_rule
from models.aggregation.server_optimizer import SERVER_OPTIMIZERS, parse_server_optimizer

CHUNK_ELEMENTS = 262_144
WEIGHT, FRACTION_BITS = 117, 40
Vector = NDArray[np.float32]


def best_seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Processor time of the best of some repeats, so that what else the machine does counts least."""
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return max(min(seconds), 1e-9)


def rate(work: Callable[[], object], num_bytes: int) -> float:
    """MB a second."""
    return round(num_bytes / best_seconds(work) / 1e6)


def rules_for(num_updates: int) -> dict[str, Rule]:
    """Every rule, and the wrappers around some, for about a fifth of Byzantine updates."""
    f = max(1, num_updates // 5)
    trimmed: dict[str, Any] = {"name": "trimmed_mean", "num_byzantine": f}
    mixing: dict[str, Any] = {"name": "nearest_neighbour_mixing", "num_byzantine": f}
    norm = 0.01 * CHUNK_ELEMENTS**0.5  # about half of the updates are longer
    specs: dict[str, dict[str, Any]] = {
        "weighted mean": {"name": "weighted_mean"},
        "unweighted mean": {"name": "unweighted_mean"},
        "median": {"name": "median"},
        "trimmed mean": trimmed,
        "krum": {"name": "krum", "num_byzantine": f},
        "multi-krum": {"name": "multi_krum", "num_byzantine": f},
        "bulyan": {"name": "bulyan", "num_byzantine": (num_updates - 3) // 4},
        "geometric median": {"name": "geometric_median"},
        "centered clipping": {"name": "centered_clipping", "radius": norm},
        "fltrust": {"name": "fltrust", "root_participant": "0"},
        "clipping, weighted mean": {"name": "clipped", "max_norm": norm, "rule": {"name": "weighted_mean"}},
        "clipping, trimmed mean": {"name": "clipped", "max_norm": norm, "rule": trimmed},
        "mixing, median": {**mixing, "rule": {"name": "median"}},
        "mixing, trimmed mean": {**mixing, "rule": trimmed},
        "clipping, mixing, trimmed mean": {"name": "clipped", "max_norm": norm, "rule": {**mixing, "rule": trimmed}},
    }
    rules = {name: parse_rule(spec) for name, spec in specs.items()}
    missing = set(RULES) - {rule.name for rule in rules.values()}
    if missing:
        raise ValueError(f"rules without a measurement: {missing}")
    return rules


def measure_rule(rule: Rule, rows: Sequence[Vector], gram: Gram, device: str | None) -> dict[str, float]:
    """Rates of one rule over one chunk of all updates."""
    updates = RoundUpdates(participants=tuple(map(str, range(len(rows)))), weights=(WEIGHT,) * len(rows))
    plan = rule.plan(updates, gram)
    bits = fraction_bits(rule, target=len(rows), max_weight=WEIGHT, max_abs=1.0)
    num_bytes = 4 * CHUNK_ELEMENTS * len(rows)
    rates = {
        "combine_mb_per_second": rate(lambda: combine_chunk(rows, plan, bits, device), num_bytes),
        "plan_milliseconds": round(1000 * best_seconds(lambda: rule.plan(updates, gram)), 2),
    }
    if rule.measure is Measure.GRAM:
        rates["measure_mb_per_second"] = rate(lambda: partial_gram(rows), num_bytes)
    elif rule.measure is Measure.NORMS:
        rates["measure_mb_per_second"] = rate(lambda: [partial_norm(row) for row in rows], num_bytes)
    return rates


def measure_peers(rows: Sequence[Vector]) -> dict[str, float]:
    """What one would take otherwise: numpy's sort along the rows' axis, torch's median on one thread."""
    import torch

    torch.set_num_threads(1)
    stacked = np.stack(rows)
    tensor = torch.from_numpy(stacked)
    return {
        "numpy_sort_mb_per_second": rate(lambda: np.sort(stacked, axis=0), stacked.nbytes),
        "torch_median_mb_per_second": rate(lambda: torch.median(tensor, dim=0), stacked.nbytes),
    }


def measure_sums(random: np.random.Generator) -> dict[str, float]:
    """The kernels of the exact sum, over forty chunks; and a step of each server optimizer."""
    chunks = [random.standard_normal(CHUNK_ELEMENTS).astype(np.float32) / 100 for _ in range(40)]
    quantised = [(chunk * 1000).astype(np.int8) for chunk in chunks]
    total = ChunkSum(CHUNK_ELEMENTS, FRACTION_BITS)
    num_bytes = 4 * CHUNK_ELEMENTS * len(chunks)
    rates = {
        "float32 into int64, weighted": rate(lambda: [total.add(chunk, WEIGHT) for chunk in chunks], num_bytes),
        "int8 into int64, weighted (bytes of int8)": rate(
            lambda: [total.add_scaled(chunk, 0.001, WEIGHT) for chunk in quantised], num_bytes // 4
        ),
        "float32 into int64, weight 1": rate(lambda: [total.add(chunk, 1) for chunk in chunks], num_bytes),
        "inspection": rate(lambda: [inspect(chunk) for chunk in chunks], num_bytes),
        "SHA-256": rate(lambda: [sha256(chunk).digest() for chunk in chunks], num_bytes),
        "content pass: SHA-256, inspection, weight 1 into int64": rate(
            lambda: [(sha256(chunk).digest(), inspect(chunk), total.add(chunk, 1)) for chunk in chunks], num_bytes
        ),
        "finish": rate(lambda: [finish(chunk, total.values, 1000, FRACTION_BITS) for chunk in chunks], num_bytes),
    }
    for name in sorted(SERVER_OPTIMIZERS):
        optimizer = parse_server_optimizer({"name": name, **({"alpha": 0.1} if name == "dynamic" else {})})
        if optimizer is not None:
            moments, delta = optimizer.initial_moments(CHUNK_ELEMENTS), chunks[0].astype(np.float64)
            step = partial(optimizer.step, chunks[1], delta, moments)
            rates[f"step of {name} (bytes of the model)"] = rate(step, 4 * CHUNK_ELEMENTS)
    return rates


def main() -> None:
    """Print a line a kernel and a line a rule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", default="8,20,50,100", help="numbers of updates, with commas")
    parser.add_argument("--device", default=None, help="torch device that reduces; numpy by default")
    parser.add_argument("--json", type=Path, default=None, help="file for all figures")
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    results: dict[str, Any] = {"device": arguments.device, "sums_mb_per_second": measure_sums(random), "updates": {}}
    for name, figure in results["sums_mb_per_second"].items():
        print(f"{name:48}{figure:9.0f} MB/s")
    for num_updates in map(int, arguments.updates.split(",")):
        rows = [random.standard_normal(CHUNK_ELEMENTS).astype(np.float32) / 100 for _ in range(num_updates)]
        gram, peers = partial_gram(rows), measure_peers(rows)
        rules = {
            name: measure_rule(rule, rows, gram, arguments.device) for name, rule in rules_for(num_updates).items()
        }
        results["updates"][str(num_updates)] = {"peers": peers, "rules": rules}
        print(f"\n{num_updates} updates: " + ", ".join(f"{name} {figure:.0f}" for name, figure in peers.items()))
        print(f"{'':32}{'combine MB/s':>14}{'of sort':>9}{'of torch':>10}{'measure MB/s':>14}{'plan ms':>9}")
        for name, its in rules.items():
            combined = its["combine_mb_per_second"]
            ratios = [combined / peer for peer in peers.values()]
            measured = its.get("measure_mb_per_second")
            print(
                f"{name:32}{combined:14.0f}{ratios[0]:9.1f}{ratios[1]:10.1f}"
                f"{measured if measured is not None else '-':>14}{its['plan_milliseconds']:9.2f}"
            )
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
