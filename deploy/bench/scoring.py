"""`fluvial bench scoring`: candidates a second on a canary set, example by example, in a loop, and stacked.

No broker and no job: what is timed is the inference that the evidence of validation makes. Times are wall time, the
best of three; torch works with one thread on a processor, as a subtask does."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from fluvial.edge.training.architectures import build
from fluvial.edge.training.module_state import ModuleState
from models.evaluation.scoring import CHUNKS, CandidateScorer

ARCHITECTURE = "convolutional"
PARAMETERS = {"image_size": 28, "classes": 10, "channels": 8, "hidden": 48}
"""The network of the task digits."""

_LARGEST_DIFFERENCE = 1e-3


def run(*, candidates: int, examples: int, report: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Candidates a second by device and way. Raises RuntimeError if two ways give other logits."""
    random = np.random.default_rng(7)
    inputs = random.normal(size=(examples, 1, 28, 28)).astype(np.float32)
    targets = random.integers(0, 10, examples)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = ModuleState(build(ARCHITECTURE, PARAMETERS)).flatten()
    deltas = [(0.01 * random.normal(size=model.size)).astype(np.float32) for _ in range(candidates)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
        found = {device: _device(device, inputs, targets, model, deltas, report) for device in devices}
    finally:
        torch.set_num_threads(threads)
    return {"candidates": candidates, "examples": examples, "parameters": int(model.size), "devices": found}


def _device(
    device: str,
    inputs: np.ndarray[Any, np.dtype[np.float32]],
    targets: np.ndarray[Any, np.dtype[np.int64]],
    model: np.ndarray[Any, np.dtype[np.float32]],
    deltas: list[np.ndarray[Any, np.dtype[np.float32]]],
    report: Callable[[str], None],
) -> dict[str, float]:
    scorer = CandidateScorer(ModuleState(build(ARCHITECTURE, PARAMETERS)), inputs, targets, device=device)
    _, step = scorer.base(model)
    reference = scorer.logits(model, deltas, 1)
    rates = {"loop": len(deltas) / _seconds(partial(scorer.logits, model, deltas, 1))}
    for chunk in [chunk for chunk in CHUNKS if chunk <= len(deltas)]:
        difference = float((scorer.logits(model, deltas, chunk) - reference).abs().max())
        if difference > _LARGEST_DIFFERENCE:
            raise RuntimeError(f"{chunk} stacked candidates differ from the loop by {difference}")
        rates[f"stacked_{chunk}"] = len(deltas) / _seconds(partial(scorer.logits, model, deltas, chunk))
    # Every example costs the same, so one stands for all.
    single = CandidateScorer(ModuleState(build(ARCHITECTURE, PARAMETERS)), inputs[:1], targets[:1], device=device)
    rates["example_by_example"] = 1 / (len(inputs) * _seconds(partial(single.logits, model, deltas[:8], 1)) / 8)
    rates["with_scores"] = len(deltas) / _seconds(partial(scorer.score, model, deltas, step))
    for way, rate in rates.items():
        report(f"{device}: {way} {rate:.1f} candidates/s")
    return rates


def _seconds(run: Callable[[], Any], tries: int = 3) -> float:
    best = float("inf")
    run()
    for _ in range(tries):
        started = time.perf_counter()
        out = run()
        if isinstance(out, torch.Tensor):
            out.sum().item()  # waits for the device
        best = min(best, time.perf_counter() - started)
    return best
