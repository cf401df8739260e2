"""Golden bytes of every record.

`python -m tests.unit.fluvial.wire.golden` writes them anew, after a change that is meant.
"""

from __future__ import annotations

import json
from pathlib import Path

from fluvial.wire.framing import encode
from fluvial.wire.records import FINGERPRINTS, SCHEMA_SHA256
from tests.unit.fluvial.wire.samples import sample

FILE = Path(__file__).resolve().parents[3] / "golden" / "records.json"


def golden() -> dict[str, dict[str, str]]:
    """By record: fingerprint as in the header, SHA-256 of the schema, bytes of its sample; all hexadecimal."""
    return {
        record.__name__: {
            "fingerprint": fingerprint.hex(),
            "schema_sha256": SCHEMA_SHA256[record],
            "bytes": encode(sample(record)).hex(),
        }
        for fingerprint, record in FINGERPRINTS.items()
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(golden(), indent=2) + "\n", encoding="utf-8")
