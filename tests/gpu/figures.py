"""Figures of the paths that can run on an accelerator, as JSON: python -m tests.gpu.figures [--out FILE]

Wall time, the best of some tries, the device's work included."""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deploy.bench import scoring
from fluvial.inference.session import Session
from fluvial.inference.timing import measure_timing
from models.acceleration import Subject, parse_recipe
from models.aggregation.coordinates import reduce_rows
from models.aggregation.coordinates_torch import on_device
from models.aggregation.reduction import Median, TrimmedMean
from models.architectures import build

PARAMETERS = {"image_size": 28, "classes": 10, "channels": 8, "hidden": 48}


def best(run: Callable[[], object], tries: int = 5) -> float:
    """Seconds."""
    run()
    times = []
    for _ in range(tries):
        started = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return min(times)


def reductions(devices: list[str]) -> dict[str, float]:
    """Megabytes of updates a second, 20 rows of 4 MB."""
    rows = np.random.default_rng(1).normal(size=(20, 1 << 20)).astype(np.float32)
    found = {}
    for reduction in (Median(), TrimmedMean(num_trimmed=4)):
        name = type(reduction).__name__
        found[f"{name} numpy"] = rows.nbytes / 1e6 / best(partial(reduce_rows, rows, reduction), 2)
        for device in devices:
            found[f"{name} torch {device}"] = rows.nbytes / 1e6 / best(partial(on_device(device), rows, reduction), 2)
    return found


def variants(devices: list[str]) -> dict[str, dict[str, float]]:
    """Latency of one example and examples a second at 256, by recipe and device."""
    module = build("convolutional", PARAMETERS).eval()
    inputs = np.random.default_rng(2).normal(size=(256, 1, 28, 28)).astype(np.float32)
    found: dict[str, dict[str, float]] = {}
    for recipe in ("onnx_fp32", "fp16_storage", "int8_static"):
        data = parse_recipe(recipe, {}).build(Subject(module=module, calibration=inputs)).data
        for device in devices:
            try:
                session = Session(data, device=device)
            except ValueError as error:
                print(f"{recipe} on {device}: {error}")
                continue
            timing = measure_timing(session.run, inputs, batch=256)
            found[f"{recipe} {device}"] = {"p50_us": timing.latency_p50_us, "examples_per_second": timing.throughput}
    for device in devices:
        kinds = [torch.float32, *([torch.float16, torch.bfloat16] if device == "cuda" else [])]
        for kind in kinds:
            moved = build("convolutional", PARAMETERS).eval().to(device, kind)
            batch = torch.from_numpy(inputs).to(device, kind)
            with torch.inference_mode():
                seconds = best(partial(moved, batch), 20)
            name = f"torch {str(kind).removeprefix('torch.')} {device}"
            found[name] = {"examples_per_second": len(inputs) / seconds}
            if device == "cuda":  # on a processor it compiles for a minute and is slower
                compiled = torch.compile(moved)
                with torch.inference_mode():
                    started = time.perf_counter()
                    compiled(batch).sum().item()
                    compiling = time.perf_counter() - started
                    seconds = best(partial(compiled, batch), 20)
                found[f"{name}, compiled"] = {
                    "examples_per_second": len(inputs) / seconds,
                    "compiling_seconds": compiling,
                }
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    figures: dict[str, Any] = {
        "machine": platform.machine(),
        "accelerator": torch.cuda.get_device_name(0) if "cuda" in devices else "none",
        "torch": torch.__version__,
        "scoring": scoring.run(candidates=128, examples=256),
        "reductions_megabytes_per_second": reductions(devices),
        "variants": variants(devices),
    }
    text = json.dumps(figures, indent=2) + "\n"
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
