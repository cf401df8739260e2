"""Figures of models that answer: sessions as they serve, and the module alone with its inputs on the device."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from fluvial.edge.sessions import open_session
from fluvial.edge.training.torch_artefact import PRECISIONS, in_precision
from fluvial.inference.comparison import answers_of
from fluvial.inference.session import Session
from fluvial.inference.timing import joules_so_far
from models.acceleration import Subject, parse_recipe
from tests.gpu.nets import NETS, Net
from tests.gpu.timed import calls, median, wait

BATCHES = (1, 64, 256, 1024)
LARGEST_ON_PROCESSOR = 256
TORCH_RECIPES = {"float32": "torch_fp32", "bfloat16": "torch_bf16", "float16": "torch_fp16"}
ENERGY_SECONDS = 1.0


def sessions(devices: list[str]) -> dict[str, Any]:
    """By net, artefact and device: numpy arrays in, numpy arrays out, as an answer to a request is computed."""
    return {net.name: dict(_of_net(net, devices)) for net in NETS}


def _of_net(net: Net, devices: list[str]) -> Iterator[tuple[str, Any]]:
    inputs = net.inputs(max(BATCHES))
    subject = Subject(module=net.make(), calibration=inputs[:64])
    yield "parameters", sum(parameter.numel() for parameter in subject.module.parameters())
    expected = None
    for recipe in ("onnx_fp32", "int8_static", *TORCH_RECIPES.values()):
        try:
            data = parse_recipe(recipe, {}).build(subject).data
        except ValueError as error:  # of other versions of the builders than ours
            yield recipe, {"not_built": str(error)[:200]}
            continue
        for device in devices:
            if device == "cpu" and recipe.startswith("torch") and recipe != "torch_fp32":
                continue  # for accelerators: nobody runs it there
            try:
                session = open_session(data, module=net.make, device=device)
            except ValueError as error:
                yield f"{recipe} {device}", {"not_run": str(error)}
                continue
            of_session = _session(session, inputs, device)
            answers = answers_of(session.run(inputs[:256]))
            expected = answers if expected is None else expected
            yield (
                f"{recipe} {device}",
                {
                    "runtime": session.runtime,
                    "artefact_bytes": len(data),
                    "answers_changed_of_256": int((answers != expected).sum()),
                    **of_session,
                },
            )


def _session(session: Session, inputs: np.ndarray[Any, np.dtype[np.float32]], device: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for batch in BATCHES:
        if device == "cpu" and batch > LARGEST_ON_PROCESSOR:
            continue
        times = calls(partial(session.run, inputs[:batch]))
        found[f"batch_{batch}"] = {
            "p50_us": 1e6 * float(np.median(times)),
            "p95_us": 1e6 * float(np.percentile(times, 95)),
            "calls": len(times),
            "examples_per_second": batch / float(np.median(times)),
        }
    found["microjoules_an_example_at_256"] = _microjoules(partial(session.run, inputs[:256]), 256, device)
    return found


def _microjoules(run: Callable[[], object], examples: int, device: str) -> float:
    """Of the device that computes, what it uses when idle included; 0 where the machine does not tell."""
    before, ends, count = joules_so_far(device), time.perf_counter() + ENERGY_SECONDS, 0
    while time.perf_counter() < ends:
        run()
        count += examples
    wait()
    return 1e6 * (joules_so_far(device) - before) / count if before else 0.0


def modules() -> dict[str, Any]:
    """By net, type and way: the module alone on CUDA, its inputs there already. Ways: as it is, compiled, and compiled
    or captured into a CUDA graph, which is launched as one."""
    return {net.name: dict(_ways(net)) for net in NETS}


def _ways(net: Net) -> Iterator[tuple[str, Any]]:
    for name, dtype in PRECISIONS.items():
        module = in_precision(net.make(), name).to("cuda")
        placed = {batch: torch.from_numpy(net.inputs(batch)).to("cuda", dtype) for batch in BATCHES}
        with torch.inference_mode():
            yield f"{name} eager", _seconds_of(module, placed)
            yield f"{name} channels_last", _seconds_of(*_channels_last(module, placed))
            yield f"{name} graph", {f"batch_{batch}": _graph(module, inputs) for batch, inputs in placed.items()}
        if name != "float16":  # compiling takes long, and would show what bfloat16 shows
            yield f"{name} compiled", _compiled(module, placed)


def _seconds_of(run: Callable[[torch.Tensor], Any], placed: dict[int, torch.Tensor]) -> dict[str, Any]:
    return {f"batch_{batch}": _figures(partial(run, inputs), batch) for batch, inputs in placed.items()}


def _figures(run: Callable[[], object], batch: int) -> dict[str, float]:
    seconds = median(run, 0.15)
    return {"p50_us": 1e6 * seconds, "examples_per_second": batch / seconds}


def _channels_last(module: nn.Module, placed: dict[int, torch.Tensor]) -> tuple[nn.Module, dict[int, torch.Tensor]]:
    form = torch.channels_last
    moved = module.to(memory_format=form)  # type: ignore[call-overload]
    return moved, {batch: inputs.contiguous(memory_format=form) for batch, inputs in placed.items()}


def _graph(module: nn.Module, inputs: torch.Tensor) -> dict[str, float]:
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            module(inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    started = time.perf_counter()
    with torch.cuda.graph(graph):
        module(inputs)
    wait()
    captured = time.perf_counter() - started
    return {**_figures(graph.replay, len(inputs)), "capturing_seconds": captured}


def _compiled(module: nn.Module, placed: dict[int, torch.Tensor]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for mode in ("default", "reduce-overhead"):
        torch.compiler.reset()
        compiled = torch.compile(module, mode=mode, dynamic=False)
        for batch in (1, 256) if mode == "reduce-overhead" else (256,):
            try:
                with torch.inference_mode():
                    started = time.perf_counter()
                    compiled(placed[batch]).sum().item()
                    seconds = time.perf_counter() - started
                    figures = _figures(partial(compiled, placed[batch]), batch)
                found[f"{mode} batch_{batch}"] = {**figures, "compiling_seconds": seconds}
            except Exception as error:  # whatever the compilers of a machine lack
                found[f"{mode} batch_{batch}"] = {"not_compiled": f"{type(error).__name__}: {error}"[:300]}
    return found
