"""Ids of the federations on this machine: drawn when a federation's topics are made, and kept beside its keys.

What is signed names the id (`fluvial.wire.topics.Topics`). So of two federations that share keys, or of one whose
topics were made anew, neither believes what was signed for the other. A federation whose topics are older than its id
has none: it was begun by the first release, whose participants sign without one.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from fluvial.wire.files import write_private
from pipelines.flink import stage_mac

FILE = "federations.json"
"""In the folder of keys: ids by the prefix of their topics."""


def begin(folder: Path, topic_prefix: str) -> str:
    """Draw the id of a federation whose topics are about to be made. Where one was there before, its stages' proofs are
    worth nothing from now on. Raises OSError."""
    ids = _read(folder)
    if topic_prefix in ids:
        stage_mac.make_secret(folder, anew=True)
    ids[topic_prefix] = secrets.token_hex(16)
    write_private(folder / FILE, (json.dumps(ids, indent=1) + "\n").encode())
    return ids[topic_prefix]


def find(folder: Path, topic_prefix: str) -> str | None:
    """The id of a federation that has topics; None where it was begun by the first release."""
    return _read(folder).get(topic_prefix)


def _read(folder: Path) -> dict[str, str]:
    path = folder / FILE
    if not path.exists():
        return {}
    try:
        ids = json.loads(path.read_text())
        if not isinstance(ids, dict) or not all(isinstance(each, str) for each in ids.values()):
            raise ValueError("it is no mapping of texts")
    except ValueError as error:
        # Without it every signature would be refused, and of another id so would those that there are.
        raise ValueError(f"{path} does not hold the ids of federations, restore it from the backup: {error}") from error
    return ids
