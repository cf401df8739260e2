"""Writes what follows from the contract: the records, their codecs and versions, and the bundles for other languages
from the schemas, task.schema.json from the task file.

    python -m schemas.generate            write all of them
    python -m schemas.generate --check    exit with 1 if one of them is not current
    python -m schemas.generate --release  add what is new to schemas/versions, for ever; then write all of them

A schema that does not fit a released version of its record is refused (`schemas.evolution`); schemas/README.md says
what may change.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from fluvial.wire.task_file import TaskFile
from schemas.bundles import by_fingerprint, union_of_all
from schemas.codecs import codecs_module
from schemas.contract import FOLDER, History, load
from schemas.evolution import check_history
from schemas.record_classes import records_module
from schemas.version_tables import versions_module

ROOT = FOLDER.parent
RECORDS = "fluvial/wire/records.py"
CODECS = "fluvial/wire/_generated/codecs.py"
VERSIONS = "fluvial/wire/_generated/versions.py"
TASK_SCHEMA = "schemas/task.schema.json"
UNION = "schemas/bundle/fluvial.avsc"
FINGERPRINTS = "schemas/bundle/fingerprints.json"


def contract(folder: Path = FOLDER) -> tuple[History, ...]:
    """The contract in this folder. Raises ValueError where it breaks a rule or does not fit what was released."""
    histories = load(folder)
    for history in histories:
        check_history(history)
    return histories


def generated(histories: tuple[History, ...]) -> dict[str, str]:
    """Text of each file that is generated, by its path in the checkout."""
    return {
        RECORDS: records_module(histories),
        CODECS: codecs_module(histories),
        VERSIONS: versions_module(histories),
        TASK_SCHEMA: task_schema(),
        UNION: union_of_all(histories),
        FINGERPRINTS: by_fingerprint(histories),
    }


def task_schema() -> str:
    """JSON Schema of the task file, for editors and for clients in other languages."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **TaskFile.model_json_schema()}
    return json.dumps(schema, indent=2) + "\n"


def release(folder: Path = FOLDER) -> list[Path]:
    """Adds the newest version of each record that is not released yet to `versions`. Gives the new files."""
    new = []
    for history in contract(folder):
        if len(history.versions) > history.num_released:
            path = folder / "versions" / history.name / f"{len(history.versions)}.avsc"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(history.file.read_bytes())
            new.append(path)
    return new


def main(folder: Path = FOLDER, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is not current")
    action.add_argument("--release", action="store_true", help="add the newest versions to schemas/versions for ever")
    arguments = parser.parse_args()
    try:
        if arguments.release:
            for path in release(folder):
                print(f"{path.relative_to(folder)} is released; tests/golden needs its bytes: see schemas/README.md")
        texts = generated(contract(folder))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    status = 0
    for name, text in texts.items():
        target = root / name
        if not arguments.check:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        elif not target.exists() or target.read_text(encoding="utf-8") != text:
            print(f"{name} is not current: run `python -m schemas.generate`", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
