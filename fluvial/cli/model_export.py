"""`fluvial model get` and `push`: a published model in a file or a registry, with its card."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    FederationOption,
    JsonOption,
    PackageOption,
    console,
    errors,
    fail,
    load_federation,
    print_json,
    reported,
)
from fluvial.cli.published import TaskArgument, VersionArgument, find
from fluvial.edge.manifests import read_manifests
from fluvial.edge.measurements import Findings, findings_of
from fluvial.edge.model_card import model_card
from fluvial.edge.models import load_model
from fluvial.edge.packages import Packages
from fluvial.edge.registry import Registry, Terms
from fluvial.edge.safetensors import to_safetensors
from fluvial.identity.federation import Federation
from fluvial.kafka import Transport, connect
from fluvial.wire.files import replace_file
from fluvial.wire.records import ModelManifest
from fluvial.wire.task_file import TaskFile

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="For onnx, of a task without an evaluation set: data whose shapes the model takes."),
]
IndexOption = Annotated[int, typer.Option("--index", min=0, help="Which participant's part of the data.")]


class Format(StrEnum):
    """What a model is written as."""

    safetensors = "safetensors"
    onnx = "onnx"
    torch = "torch"


_SUFFIX = {Format.safetensors: "safetensors", Format.onnx: "onnx", Format.torch: "pt"}
_HOW = {
    Format.safetensors: "what travelled of it, each tensor by its name (`safetensors.torch.load_file`)",
    Format.onnx: "the whole model, any number of examples at once (`onnxruntime.InferenceSession`)",
    Format.torch: "the state of the whole module (`torch.load(file, weights_only=True)`, `module.load_state_dict`)",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Published:
    """A model, verified by its manifest, and what is known of it. lineage: its task's manifests up to it. task_file:
    None, and `unread` says why, where the registry has none that this release reads. agreement: what participants must
    have signed."""

    manifest: ModelManifest
    model_D: NDArray[np.float32]
    lineage: list[ModelManifest]
    findings: Findings
    task_file: TaskFile | None
    agreement: Terms | None
    unread: str = ""

    @property
    def name(self) -> str:
        return f"{self.manifest.task}-{self.manifest.version}"

    def card(self, file_name: str, chosen: Format) -> str:
        """The model's card beside that file. Raises ValueError without a task file."""
        if self.task_file is None:
            raise ValueError(self.unread)
        files = {file_name: _HOW[chosen]}
        return model_card(self.manifest, self.task_file, self.lineage, self.findings, self.agreement, files)

    def content(self, chosen: Format, packages: Packages, data: Path | None, index: int) -> bytes:
        """The file's bytes. Raises ValueError for a model that has no such form, or whose code is not allowed here."""
        manifest = self.manifest
        if chosen is Format.safetensors:
            metadata = {
                "task": manifest.task,
                "version": str(manifest.version),
                "model_digest": manifest.model_digest.hex(),
            }
            return to_safetensors(self.model_D, manifest.layout, metadata)
        if self.task_file is None:
            raise ValueError(self.unread)
        try:
            from fluvial.edge.training import export
            from fluvial.edge.training.task_code import TaskCode
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise ValueError(
                f"the format {chosen} needs torch, which is not installed: pip install 'fluvial[onnx]'"
            ) from error
        code = TaskCode.of(self.task_file, packages)
        module = export.module_with(code, self.model_D, manifest.layout)
        if chosen is Format.torch:
            return export.to_torch(module)
        return export.to_onnx(module, export.some_examples(code, data, index))


def read_published(
    federation: Federation, task: str, version: int | None, transport: Transport | None = None
) -> Published:
    """A model and what is known of it; ends the command where there is none. transport: by default one of its own."""
    with closing(transport or connect(federation.brokers, "fluvial-model")) as opened:
        manifests = read_manifests(opened, federation)
        manifest = find(manifests, task, version)
        if manifest.partial:
            fail(
                f"{task}, version {manifest.version}, is the exact sum of a region's round, and no model",
                "The model is made by the parent federation.",
            )
        with closing(Registry(opened, federation)) as registry:
            registry.refresh()
            task_file, unread = _task_file(registry, task)
            terms = registry.terms(task_file.agreement.name) if task_file and task_file.agreement else None
        return Published(
            manifest=manifest,
            model_D=load_model(
                opened,
                federation.topics.model_blobs,
                manifest.chunks,
                manifest.model_digest,
                manifest.num_elements,
            ),
            lineage=[each for each in manifests if each.task == task and each.version <= manifest.version],
            findings=findings_of(opened, federation, manifest),
            task_file=task_file,
            unread=unread,
            agreement=terms,
        )


def _task_file(registry: Registry, task: str) -> tuple[TaskFile | None, str]:
    """The task's file, or why there is none."""
    record = registry.task(task)
    if record is None:
        return None, f"the registry has no task {task}, and manifests alone do not say what its module is"
    try:
        return TaskFile.model_validate_json(record.specification), ""
    except ValueError:
        return None, f"the file of the task {task} is of another release: update fluvial"


@reported
def get(
    task: TaskArgument,
    version: VersionArgument = None,
    chosen: Annotated[
        Format,
        typer.Option(
            "--format",
            help="safetensors: what travelled, tensor by tensor. onnx, torch: the whole module, whose code must be "
            "here: of a package, or built in.",
        ),
    ] = Format.safetensors,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file. [default: TASK-VERSION.SUFFIX]")
    ] = None,
    card: Annotated[
        bool, typer.Option("--card/--no-card", help="Write the model's card beside it, as FILE.md.")
    ] = True,
    package: PackageOption = None,
    data: DataOption = None,
    index: IndexOption = 0,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Download a model, every chunk checked against the signed manifest, with a card: its task, lineage, metrics by
    group, agreement and digest."""
    published = read_published(load_federation(federation), task, version)
    manifest = published.manifest
    path = output or Path(f"{published.name}.{_SUFFIX[chosen]}")
    content = published.content(chosen, Packages(package or ()), data, index)
    replace_file(path, content)
    # Its whole name, so that cards of one version in several formats stand beside each other.
    card_path = path.with_name(f"{path.name}.md") if card and not path.is_char_device() else None
    if card_path is not None and published.task_file is None:
        errors.print(f"warning: no card is written: {published.unread}", markup=False)
        card_path = None
    if card_path is not None:
        replace_file(card_path, published.card(path.name, chosen))
    if json:
        written = {"file": str(path), "card": str(card_path) if card_path else None}
        digest = manifest.model_digest.hex()
        print_json({"task": manifest.task, "version": manifest.version, "model_digest": digest, **written})
    else:
        beside = f"; its card: {card_path}" if card_path is not None else ""
        size = published.model_D.nbytes
        console.print(
            f"{path}: {manifest.task}, version {manifest.version}, {size} bytes verified{beside}", markup=False
        )


@reported
def push(
    task: TaskArgument,
    version: VersionArgument = None,
    mlflow: Annotated[
        str, typer.Option("--mlflow", help="Tracking server: http://HOST:PORT, or another of MLflow's.")
    ] = "",
    chosen: Annotated[
        Format,
        typer.Option("--format", help="onnx: a model that MLflow loads and serves. Others: the file as an artifact."),
    ] = Format.onnx,
    name: Annotated[str, typer.Option("--name", help="Name in the registry; the task's without it.")] = "",
    package: PackageOption = None,
    data: DataOption = None,
    index: IndexOption = 0,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Register a model in MLflow: a run with its metrics and its card, and a version of a registered model whose tags
    are its task, version and digest. What was pushed before is found by its digest and not pushed again."""
    if not mlflow:
        fail("name the registry with --mlflow URI", "Where it listens, MLflow's server says when it starts.")
    from fluvial.edge.mlflow import register  # takes seconds, and is not installed everywhere

    published = read_published(load_federation(federation), task, version)
    content = published.content(chosen, Packages(package or ()), data, index)
    file_name = f"{published.name}.{_SUFFIX[chosen]}"
    found = register(
        mlflow,
        name or task,
        published.manifest,
        published.findings,
        {file_name: content, "README.md": published.card(file_name, chosen).encode()},
        content if chosen is Format.onnx else None,
    )
    told = {
        "task": task,
        "version": published.manifest.version,
        "name": found.name,
        "registered_version": found.version,
    }
    if json:
        print_json({**told, "run_id": found.run_id, "is_new": found.is_new})
    else:
        how = "registered as" if found.is_new else "is there already as"
        console.print(
            f"{task}, version {published.manifest.version}, {how} version {found.version} of {found.name}", markup=False
        )
