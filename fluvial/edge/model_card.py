"""A model's card: Markdown under a header of YAML, as model hubs read it (Mitchell et al., 2019, "Model Cards for Model
Reporting"; header: Hugging Face, "Model Cards").

Everything in it is of signed records, but for evaluation's measurements, which the audit log has the same. It counts
participants and names none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import yaml

from fluvial.edge.measurements import Findings, participants_as_lines
from fluvial.edge.registry import Terms
from fluvial.wire.records import ModelManifest, Release
from fluvial.wire.task_file import TaskFile

_SHOWN_VERSIONS = 20
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|!~&])")


def model_card(
    manifest: ModelManifest,
    task_file: TaskFile,
    lineage: Sequence[ModelManifest],
    findings: Findings,
    agreement: Terms | None,
    files: Mapping[str, str],
) -> str:
    """The card's text. lineage: manifests of the task, up to this version. agreement: what participants signed. files:
    what lies beside it, by name, and how it is read."""
    header = yaml.safe_dump(_header(manifest, task_file, findings.release), sort_keys=False, allow_unicode=True)
    sections = [
        f"---\n{header}---",
        f"# {_line(task_file.title)}",
        f"Version {manifest.version} of the task `{manifest.task}`, made by federated learning: participants trained "
        "on data that stayed with them and signed their updates; which ones it was made of stands, signed, in its "
        "manifest, from which anybody with the federation's log can compute it again.",
        "## What it is\n\n" + _table(("", ""), _facts(manifest, task_file)),
        "## How to read it\n\n" + "\n".join(f"* `{name}`: {how}" for name, how in files.items()),
        "## What it was measured to be\n\n" + _measurements(findings),
        "## What it was made from\n\n" + _lineage(manifest, lineage),
    ]
    if agreement is not None:
        text = "\n".join(f"> {line}" for line in agreement.agreement.text.splitlines())
        sections.append(
            f"## What participants agreed to\n\n`{agreement.agreement.agreement}`, SHA-256 of what was signed "
            f"`{agreement.sha256.hex()}`:\n\n{text}"
        )
    return "\n\n".join(sections) + "\n"


def _header(manifest: ModelManifest, task_file: TaskFile, release: Release | None) -> dict[str, Any]:
    name = f"{manifest.task}-{manifest.version}"
    header: dict[str, Any] = {"library_name": "pytorch", "tags": ["federated-learning", "fluvial", manifest.task]}
    if task_file.licence:
        header = {"license": task_file.licence, **header}
    if release is not None and release.metrics:
        result = {
            "task": {"type": "other", "name": task_file.title},
            "dataset": {"type": manifest.task, "name": "the task's evaluation set"},
            "metrics": [{"type": metric.name, "value": metric.value} for metric in release.metrics],
        }
        header["model-index"] = [{"name": name, "results": [result]}]
    return header


def _facts(manifest: ModelManifest, task_file: TaskFile) -> list[tuple[str, str]]:
    model = task_file.model
    facts = [
        ("digest", f"`{manifest.model_digest.hex()}`"),
        ("published", datetime.fromtimestamp(manifest.created_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")),
        ("parameters", f"{manifest.num_elements:,} elements in {len(manifest.layout)} tensors travel"),
        ("module", f"`{model.builder or model.architecture}` of `{dict(model.parameters)}`"),
        ("loss", f"`{task_file.loss}`"),
        ("rule", f"`{manifest.rule}`"),
        ("server optimizer", f"`{manifest.server_optimizer}`" if manifest.server_optimizer else "none"),
    ]
    if task_file.package is not None:
        facts.insert(3, ("package", f"`{task_file.package.name}`, digest `{task_file.package.digest}`"))
    if model.local or model.statistics == "local":
        facts.append(("personal parts", "layers that stay with each participant are here as they were built"))
    facts.append(("licence", task_file.licence or "the task names none"))
    return facts


def _measurements(findings: Findings) -> str:
    parts = []
    release = findings.release
    if release is not None and release.reason:
        parts.append(f"Evaluation could not measure it: {_line(release.reason)}")
    elif release is not None and release.metrics:
        names = [metric.name for metric in release.metrics]
        rows = [("all", f"{release.num_examples:,}", *(f"{metric.value:.4f}" for metric in release.metrics))]
        for group in release.groups:
            values = {metric.name: metric.value for metric in group.metrics}
            shown = (f"{values[name]:.4f}" if name in values else "–" for name in names)
            rows.append((f"{group.attribute}: {group.group}", f"{group.num_examples:,}", *shown))
        parts.append("On the task's evaluation set:\n\n" + _table(("group", "examples", *names), rows))
    for version, told in findings.told.items():
        lines = "\n".join(f"* {_literal(line)}" for line in participants_as_lines(told))
        parts.append(
            f"By participants, on examples that they held out (with their updates for version {version}):\n\n{lines}"
        )
    return "\n\n".join(parts) or "Nothing was measured of it."


def _lineage(manifest: ModelManifest, lineage: Sequence[ModelManifest]) -> str:
    by_version = {each.version: each for each in lineage if each.version <= manifest.version}
    people = {part.participant for each in by_version.values() for part in each.contributions if part.selected}
    updates = sum(part.selected for each in by_version.values() for part in each.contributions)
    said = f"{updates:,} updates of {len(people):,} participants, in {manifest.version:,} rounds that made a model."
    rows = []
    for version in sorted(by_version, reverse=True)[:_SHOWN_VERSIONS]:
        each = by_version[version]
        taken = sum(part.selected for part in each.contributions)
        count = f"{taken} of {len(each.contributions)}" if each.contributions else "the initial model"
        rows.append(
            (str(version), str(each.round), count, f"{each.total_weight:,}", f"`{each.model_digest.hex()[:16]}`")
        )
    left_out = len(by_version) - len(rows)
    more = f"\n\n{left_out} earlier versions are left out here." if left_out else ""
    return f"{said}\n\n" + _table(("version", "round", "updates taken", "examples", "digest"), rows) + more


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(_line(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _literal(text: str) -> str:
    """A line in which nothing is markup: participants choose the names of groups and of parts of metrics."""
    return _MARKUP.sub(r"\\\1", _line(text))


def _line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
