"""A contract of one record in a folder, to be changed by tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LONG = {"name": "number", "type": "long", "doc": "A number."}
KIND = {"type": "enum", "name": "Kind", "doc": "Kinds.", "symbols": ["A", "B"], "default": "A"}


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "doc": "A field.", **more}


def record(*fields: dict[str, Any], name: str = "Thing") -> dict[str, Any]:
    return {"type": "record", "name": name, "namespace": "org.fluvial.v1", "doc": "A thing.", "fields": list(fields)}


def put(folder: Path, schema: dict[str, Any], version: int | None = None) -> None:
    """Writes a schema as the newest, or as a released version."""
    name = schema["name"]
    path = folder / f"{name.lower()}.avsc" if version is None else folder / "versions" / name / f"{version}.avsc"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(schema, indent=2), encoding="utf-8")
