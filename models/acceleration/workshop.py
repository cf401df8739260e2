"""Building and measuring the variants of a model in a process of its own: `python -m models.acceleration.workshop
FOLDER`.

Exporting a model keeps an interpreter busy for seconds, in which the operators that share it would stand still. So it
is done elsewhere, and what goes back and forth are files in one folder:

* `request.json` and `model.f32`, the flat float32 model: what to build (`Order`); of a task that tunes a pruned model
  `reference.f32` is the model before that, with which variants are compared;
* `NAME.onnx` and `NAME.json` for each variant, written last: what was built (`Product`).

A recipe that does not fit the model is a product with a failure, not an error of the process.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fluvial.edge.artefact_kinds import is_measured_on, runs_in_torch
from fluvial.edge.packages import Packages
from fluvial.edge.sessions import open_session
from fluvial.edge.training.device import choose_device
from fluvial.edge.training.task_code import TaskCode
from fluvial.inference.processor import processor_class
from fluvial.inference.timing import Timing, measure_timing
from fluvial.wire.acceleration import VariantSpec
from fluvial.wire.records import GroupCounts, MetricDrop
from fluvial.wire.task_file import TaskFile
from models.acceleration.bench import Bench, before_pruning, outputs_of
from models.acceleration.catalogue import parse_recipe
from models.acceleration.example_sets import check_apart, load_set
from models.acceleration.recipe import Artefact, Subject
from models.acceleration.versions import builder_versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to build and measure. specification: the task's file, as JSON. packages: folders whose code may run here.
    calibration, gate: files, or loaders of the package. root: the checkout that files are relative to. metrics: of the
    policy. batch: for the throughput. device: auto, cpu or cuda: on what variants for accelerators are measured.
    """

    specification: str
    packages: tuple[str, ...]
    variants: tuple[VariantSpec, ...]
    calibration: str
    gate: str
    root: str
    metrics: tuple[str, ...]
    batch: int
    device: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured of a variant on the gate set."""

    runtime: str
    processor: str
    threads: int
    data_sha256: str
    num_examples: int
    counts: tuple[GroupCounts, ...]
    drops: tuple[MetricDrop, ...]
    timing: Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A variant that was built, or why it could not be. builders: canonical versions, by package. calibration_sha256:
    of the file whose inputs were looked at, hexadecimal. measured: None also of a variant for accelerators where there
    is none: no class of processors is covered then, until somebody who has an accelerator measures it."""

    name: str
    builders: dict[str, str]
    deterministic: bool = False
    artefact_sha256: str = ""
    artefact_bytes: int = 0
    calibration_sha256: str = ""
    failure: str = ""
    measured: Measured | None = None


def write_order(
    folder: Path, order: Order, model: NDArray[np.float32], reference: NDArray[np.float32] | None = None
) -> None:
    """Put an order in an empty folder. reference: the model before it was pruned and tuned; None where it was not."""
    for name, vector in (("model", model), ("reference", reference)):
        if vector is not None:
            (folder / f"{name}.f32").write_bytes(vector.astype("<f4").tobytes())
    variants = [variant.model_dump(mode="json") for variant in order.variants]
    (folder / "request.json").write_text(json.dumps({**asdict(order), "variants": variants}), encoding="utf-8")


def read_product(folder: Path, name: str) -> tuple[Product, bytes] | None:
    """The product of that name and its artefact (empty after a failure); None while it is not there."""
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    measured = content.pop("measured")
    if measured is not None:
        measured["counts"] = tuple(GroupCounts(**counts) for counts in measured["counts"])
        measured["drops"] = tuple(MetricDrop(**drop) for drop in measured["drops"])
        measured["timing"] = Timing(**measured["timing"])
        content["measured"] = Measured(**measured)
    artefact = folder / f"{name}.onnx"
    return Product(**content), artefact.read_bytes() if artefact.exists() else b""


def products(
    order: Order, model: NDArray[np.float32], reference: NDArray[np.float32] | None = None
) -> Iterator[tuple[Product, bytes]]:
    """Build and measure each variant of a model, float32[D]. reference: as `write_order` takes it. Raises ValueError
    for a model, calibration or gate set that do not fit."""
    torch.set_num_threads(1)
    packages = Packages(map(Path, order.packages))
    code = TaskCode.of(TaskFile.model_validate_json(order.specification), packages, Path(order.root))
    gate = load_set(code, order.gate)
    compared = code if reference is None else TaskCode(before_pruning(code.task_file), code.package)
    outputs = outputs_of(compared, model if reference is None else reference, gate.inputs)
    bench = Bench(gate=gate, reference=outputs, metrics=order.metrics)
    state = code.state()
    state.load(model)
    calibration = load_set(code, order.calibration)
    check_apart(calibration, gate)
    subject = Subject(module=state.module.eval(), calibration=calibration.inputs)
    for variant in order.variants:
        product, artefact = _product(variant, subject, bench, order.batch, order.device)
        yield replace(product, calibration_sha256=calibration.sha256.hex()), artefact


def _product(variant: VariantSpec, subject: Subject, bench: Bench, batch: int, device: str) -> tuple[Product, bytes]:
    try:
        artefact = parse_recipe(variant.recipe, variant.parameters).build(subject)
        measured = _measured(artefact, subject, bench, batch, device)
    except ValueError as error:
        return Product(name=variant.name, builders=builder_versions(), failure=str(error)[:300]), b""
    product = Product(
        name=variant.name,
        builders=builder_versions(),
        deterministic=artefact.deterministic,
        artefact_sha256=artefact.digest.hex(),
        artefact_bytes=len(artefact.data),
        measured=measured,
    )
    return product, artefact.data


def _measured(artefact: Artefact, subject: Subject, bench: Bench, batch: int, device: str) -> Measured | None:
    """On the processor, or what is for accelerators on the device; None where that is none."""
    on = choose_device(device) if runs_in_torch(artefact.data) else "cpu"
    if not is_measured_on(artefact.data, on):
        return None
    session = open_session(artefact.data, module=partial(deepcopy, subject.module), device=on)
    inputs = bench.gate.inputs
    found = bench.compared(session.run_in_batches(inputs), artefact.digest)
    return Measured(
        runtime=session.runtime,
        processor=processor_class(on),
        threads=1,
        data_sha256=bench.gate.sha256.hex(),
        num_examples=found.num_examples,
        counts=found.counts,
        drops=found.drops,
        timing=measure_timing(session.run, inputs, batch=batch, device=on),
    )


def main(arguments: Sequence[str]) -> int:
    """Carry out the order in a folder. Exit status 1 and one line on standard error when it cannot be."""
    folder = Path(arguments[0])
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    variants = tuple(VariantSpec.model_validate(variant) for variant in request.pop("variants"))
    model, reference = (_vector(folder / f"{name}.f32") for name in ("model", "reference"))
    assert model is not None
    os.nice(10)
    try:
        lists = {name: tuple(request[name]) for name in ("packages", "metrics")}
        order = Order(**{**request, **lists, "variants": variants})
        for product, artefact in products(order, model, reference):
            if artefact:
                (folder / f"{product.name}.onnx").write_bytes(artefact)
            temporary = folder / f"{product.name}.{time.time_ns()}"
            temporary.write_text(json.dumps(asdict(product)), encoding="utf-8")
            temporary.rename(folder / f"{product.name}.json")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _vector(path: Path) -> NDArray[np.float32] | None:
    return np.fromfile(path, "<f4").astype(np.float32, copy=False) if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
