"""Building and measuring the variants of a model in a process of its own: `python -m models.acceleration.workshop
FOLDER`.

Exporting a model keeps an interpreter busy for seconds, in which the operators that share it would stand still. So it
is done elsewhere, and what goes back and forth are files in one folder:

* `request.json` and `model.f32`, the flat float32 model: what to build (`Order`);
* `NAME.onnx` and `NAME.json` for each variant, written last: what was built (`Product`).

A recipe that does not fit the model is a product with a failure, not an error of the process.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fluvial.edge.packages import Packages
from fluvial.edge.training.task_code import TaskCode
from fluvial.inference.comparison import answers_of, compare
from fluvial.inference.processor import processor_class
from fluvial.inference.session import Session
from fluvial.inference.timing import Timing, measure_timing
from fluvial.wire.acceleration import VariantSpec
from fluvial.wire.records import GroupCounts
from fluvial.wire.task_file import TaskFile
from models.acceleration.catalogue import parse_recipe
from models.acceleration.recipe import Subject
from models.acceleration.versions import builder_versions
from models.datasets import GroupedDataset, load_evaluation, load_grouped

METRICS = ("accuracy", "recall", "agreement")
"""What a gate set with labels is counted by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to build and measure. specification: the task's file, as JSON. packages: folders whose code may run here.
    calibration, gate: files. batch: for the throughput."""

    specification: str
    packages: tuple[str, ...]
    variants: tuple[VariantSpec, ...]
    calibration: str
    gate: str
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured of a variant on the gate set."""

    runtime: str
    processor: str
    threads: int
    data_sha256: str
    num_examples: int
    counts: tuple[GroupCounts, ...]
    timing: Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A variant that was built and measured, or why it could not be. builders: canonical versions, by package.
    calibration_sha256: of the file whose inputs were looked at, hexadecimal."""

    name: str
    builders: dict[str, str]
    deterministic: bool = False
    artefact_sha256: str = ""
    artefact_bytes: int = 0
    calibration_sha256: str = ""
    failure: str = ""
    measured: Measured | None = None


def write_order(folder: Path, order: Order, model: NDArray[np.float32]) -> None:
    """Put an order in an empty folder."""
    (folder / "model.f32").write_bytes(model.astype("<f4").tobytes())
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
        measured["timing"] = Timing(**measured["timing"])
        content["measured"] = Measured(**measured)
    artefact = folder / f"{name}.onnx"
    return Product(**content), artefact.read_bytes() if artefact.exists() else b""


def products(order: Order, model: NDArray[np.float32]) -> Iterator[tuple[Product, bytes]]:
    """Build and measure each variant of a model, float32[D]. Raises ValueError for a model, calibration or gate set
    that do not fit."""
    torch.set_num_threads(1)
    task_file = TaskFile.model_validate_json(order.specification)
    state = TaskCode.of(task_file, Packages(map(Path, order.packages))).state()
    state.load(model)
    module = state.module.eval()
    gate = load_grouped(order.gate)
    subject = Subject(module=module, calibration=load_evaluation(order.calibration).inputs)
    gate_sha256, calibration_sha256 = _sha256(order.gate), _sha256(order.calibration)
    with torch.inference_mode():
        batches = torch.split(torch.from_numpy(gate.inputs), 512)
        reference = answers_of(torch.cat([module(batch) for batch in batches]).numpy())
    for variant in order.variants:
        product, artefact = _product(variant, subject, gate, reference, order.batch, gate_sha256)
        yield replace(product, calibration_sha256=calibration_sha256), artefact


def _sha256(path: str) -> str:
    return sha256(Path(path).read_bytes()).hexdigest()


def _product(
    variant: VariantSpec,
    subject: Subject,
    gate: GroupedDataset,
    reference: NDArray[np.int64],
    batch: int,
    gate_sha256: str,
) -> tuple[Product, bytes]:
    try:
        artefact = parse_recipe(variant.recipe, variant.parameters).build(subject)
        session = Session(artefact.data)
        answers = answers_of(session.run_in_batches(gate.inputs))
    except ValueError as error:
        return Product(name=variant.name, builders=builder_versions(), failure=str(error)[:300]), b""
    counts = compare(reference, answers, metrics=METRICS, targets=gate.targets, groups=gate.groups, people=gate.people)
    measured = Measured(
        runtime=session.runtime,
        processor=processor_class(),
        threads=1,
        data_sha256=gate_sha256,
        num_examples=len(gate),
        counts=tuple(counts),
        timing=measure_timing(session.run, gate.inputs, batch=batch),
    )
    product = Product(
        name=variant.name,
        builders=builder_versions(),
        deterministic=artefact.deterministic,
        artefact_sha256=artefact.digest.hex(),
        artefact_bytes=len(artefact.data),
        measured=measured,
    )
    return product, artefact.data


def main(arguments: Sequence[str]) -> int:
    """Carry out the order in a folder. Exit status 1 and one line on standard error when it cannot be."""
    folder = Path(arguments[0])
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    variants = tuple(VariantSpec.model_validate(variant) for variant in request.pop("variants"))
    model = np.fromfile(folder / "model.f32", "<f4").astype(np.float32, copy=False)
    os.nice(10)
    try:
        order = Order(**{**request, "packages": tuple(request["packages"]), "variants": variants})
        for product, artefact in products(order, model):
            if artefact:
                (folder / f"{product.name}.onnx").write_bytes(artefact)
            temporary = folder / f"{product.name}.{time.time_ns()}"
            temporary.write_text(json.dumps(asdict(product)), encoding="utf-8")
            temporary.rename(folder / f"{product.name}.json")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
