"""Published models in an MLflow registry."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fluvial.edge.measurements import Findings
from fluvial.wire.errors import TransportError
from fluvial.wire.records import ModelManifest

try:
    import mlflow
    from mlflow.exceptions import MlflowException
except ModuleNotFoundError as error:
    raise ValueError(f"{error.name} is not installed: pip install 'fluvial[mlflow]'") from error

_DIGEST = "fluvial.model_digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A version of a registered model. is_new: whether it was made now."""

    name: str
    version: str
    run_id: str
    is_new: bool


def register(
    uri: str,
    name: str,
    manifest: ModelManifest,
    findings: Findings,
    files: Mapping[str, bytes],
    onnx_model: bytes | None = None,
) -> Registered:
    """Register a model; one whose digest the registry has under this name is found there instead.

    files: by name, logged as the run's artifacts. onnx_model: makes the version a model that MLflow loads. Raises
    TransportError where the server does not answer, ValueError for what it refuses.
    """
    try:
        return _register(uri, name, manifest, findings, files, onnx_model)
    except MlflowException as error:
        if error.error_code == "INTERNAL_ERROR" or "Max retries" in str(error):
            raise TransportError(f"{uri}: {_first_line(error)}") from error
        raise ValueError(f"MLflow at {uri} refuses the model: {_first_line(error)}") from error


def _register(
    uri: str,
    name: str,
    manifest: ModelManifest,
    findings: Findings,
    files: Mapping[str, bytes],
    onnx_model: bytes | None,
) -> Registered:
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    digest = manifest.model_digest.hex()
    tags = {
        "fluvial.task": manifest.task,
        "fluvial.version": str(manifest.version),
        "fluvial.round": str(manifest.round),
        _DIGEST: digest,
    }
    for known in client.search_model_versions(f"name = '{name}'"):
        if known.tags.get(_DIGEST) == digest:
            return Registered(name=name, version=str(known.version), run_id=known.run_id or "", is_new=False)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=f"Models of the federated task {manifest.task}.")
    experiment = client.get_experiment_by_name(name)
    experiment_id = experiment.experiment_id if experiment is not None else client.create_experiment(name)
    run = client.create_run(experiment_id, run_name=f"{manifest.task}-{manifest.version}", tags=tags)
    run_id = run.info.run_id
    for parameter, value in _parameters(manifest).items():
        client.log_param(run_id, parameter, value)
    for metric, number in _metrics(findings).items():
        client.log_metric(run_id, metric, number, step=manifest.version)
    with tempfile.TemporaryDirectory(prefix="fluvial-mlflow-") as folder:
        for file_name, content in files.items():
            (Path(folder) / file_name).write_bytes(content)
        if onnx_model is not None:
            _save_onnx(onnx_model, Path(folder) / "model")
        client.log_artifacts(run_id, folder)
    client.set_terminated(run_id)
    where = f"{run.info.artifact_uri}/model" if onnx_model is not None else run.info.artifact_uri
    card = files.get("README.md", b"").decode()
    made = client.create_model_version(name, source=where, run_id=run_id, tags=tags, description=card)
    return Registered(name=name, version=str(made.version), run_id=run_id, is_new=True)


def _save_onnx(content: bytes, folder: Path) -> None:
    """As MLflow's own flavour, so that it loads and serves it."""
    import mlflow.onnx

    from fluvial.edge.training.onnx_export import from_bytes

    mlflow.onnx.save_model(from_bytes(content), str(folder))


def _parameters(manifest: ModelManifest) -> dict[str, Any]:
    return {
        "round": manifest.round,
        "rule": manifest.rule,
        "updates": sum(part.selected for part in manifest.contributions),
        "total_weight": manifest.total_weight,
        "num_elements": manifest.num_elements,
    }


def _metrics(findings: Findings) -> dict[str, float]:
    """Evaluation's by their names, its groups' and participants' under longer ones."""
    found: dict[str, float] = {}
    if findings.release is not None:
        found |= {metric.name: metric.value for metric in findings.release.metrics}
        for group in findings.release.groups:
            place = f"{group.attribute}/{group.group}"
            found |= {f"{place}/{metric.name}": metric.value for metric in group.metrics}
    for told in (each for about in findings.told.values() for each in about):
        place = f"participants/{told.attribute}/{told.group}" if told.attribute else "participants"
        found |= {f"{place}/{told.metric}": told.mean, f"{place}/{told.metric}.median": told.p50}
    return {_allowed(name): value for name, value in found.items()}


def _allowed(name: str) -> str:
    """MLflow takes letters, digits, and some signs."""
    return "".join(character if character.isalnum() or character in "_-./ " else "_" for character in name)[:250]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
