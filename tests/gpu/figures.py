"""Figures of the paths that can run on an accelerator, as JSON: python -m tests.gpu.figures [--out FILE]

Median wall time of a call, the device's work included. One thread on the processor. A part that fails is told, and the
others are measured all the same; the exit status is 1 then."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deploy.bench import scoring
from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.module_state import ModuleState
from fluvial.edge.training.trainer import train
from fluvial.inference import nvml
from fluvial.inference.processor import processor_class
from models.aggregation.coordinates import reduce_rows
from models.aggregation.coordinates_torch import on_device
from models.aggregation.reduction import Median, TrimmedMean
from models.evaluation.inference import Evaluator
from tests.gpu.inference_figures import modules, sessions
from tests.gpu.nets import NETS
from tests.gpu.timed import devices, median


def reductions() -> dict[str, float]:
    """Megabytes of updates a second, 20 rows of 4 MB."""
    rows = np.random.default_rng(1).normal(size=(20, 1 << 20)).astype(np.float32)
    found = {}
    for reduction in (Median(), TrimmedMean(num_trimmed=4)):
        name = type(reduction).__name__
        found[f"{name} numpy"] = rows.nbytes / 1e6 / median(partial(reduce_rows, rows, reduction))
        for device in devices():
            found[f"{name} torch {device}"] = rows.nbytes / 1e6 / median(partial(on_device(device), rows, reduction))
    return found


def evaluation() -> dict[str, Any]:
    """Examples a second: a model of a task measured, loss and accuracy, on 4,096 of them, and on a processor on 512."""
    found: dict[str, Any] = {}
    for net in NETS:
        model = ModuleState(net.make()).flatten()
        for device in devices():
            examples = net.examples(512 if device == "cpu" else 4096)
            evaluator = Evaluator(ModuleState(net.make()), examples, ["accuracy", "loss"], device=device)
            seconds = median(partial(evaluator.measure, model))
            found[f"{net.name} {device}"] = {"examples_per_second": len(examples) / seconds}
    return found


def training() -> dict[str, Any]:
    """Examples a second of local training with `train`, two epochs: in float32, and on CUDA with autocast to bfloat16.
    The processor is not asked for the wide network."""
    found: dict[str, Any] = {}
    for net in NETS:
        for device in devices():
            for batch_size in (32, 256):
                for precision in ("float32", "bfloat16"):
                    if device == "cpu" and (precision == "bfloat16" or net.name == "residual_32"):
                        continue
                    examples = net.examples(512 if device == "cpu" else 4096)
                    state = ModuleState(net.make())
                    config = TrainingConfig(epochs=2, batch_size=batch_size, learning_rate=0.01)
                    work = partial(train, state, state.flatten(), examples, config, 1, device=device)
                    with torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
                        seconds = median(work, 0.3)
                    name = f"{net.name} {device} batch {batch_size} {precision}"
                    found[name] = {"examples_per_second": 2 * len(examples) / seconds}
    return found


def energy() -> dict[str, Any]:
    """What NVIDIA's library tells here."""
    before = nvml.millijoules()
    time.sleep(1.0)
    return {
        "class": processor_class("cuda") if nvml.capabilities() else "",
        "capabilities": nvml.capabilities(),
        "watts_idle": (nvml.millijoules() - before) / 1000,
    }


def main() -> int:
    """Measure, print and write. Exit status 1 where a part failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    on_cuda = torch.cuda.is_available()
    figures: dict[str, Any] = {
        "machine": platform.machine(),
        "processor_class": processor_class(),
        "processors": os.cpu_count(),
        "accelerator": torch.cuda.get_device_name(0) if on_cuda else "none",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda if on_cuda else "",
        "cudnn": torch.backends.cudnn.version() if on_cuda else 0,
        "tf32": {"convolutions": torch.backends.cudnn.allow_tf32, "products": torch.backends.cuda.matmul.allow_tf32},
        "seconds": {},
        "failures": {},
    }
    parts: dict[str, Callable[[], Any]] = {
        "scoring": partial(scoring.run, candidates=128, examples=256),
        "energy": energy,
        "sessions": partial(sessions, devices()),
        **({"modules_on_cuda": modules} if on_cuda else {}),
        "training": training,
        "evaluation": evaluation,
        "reductions_megabytes_per_second": reductions,
    }
    for name, part in parts.items():
        started = time.perf_counter()
        try:
            figures[name] = part()
        except Exception:  # the others are worth having
            figures["failures"][name] = traceback.format_exc()
            print(f"{name} failed:\n{figures['failures'][name]}", file=sys.stderr)
        figures["seconds"][name] = round(time.perf_counter() - started, 1)
        print(f"{name}: {figures['seconds'][name]} s", file=sys.stderr, flush=True)
        if arguments.out is not None:  # what there is so far: a script that is cut off has measured something
            arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))
    return 1 if figures["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
