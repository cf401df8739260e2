"""Golden bytes of every released version of every record.

`python -m tests.unit.fluvial.wire.golden` writes those of versions that were released since. A file that stands is
never written again: its bytes are those of logs.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from fluvial.wire.framing import MAGIC
from fluvial.wire.version import Version
from schemas.contract import load
from tests.unit.fluvial.wire.samples import EVERY_VERSION, sample_of, schema_of
from tests.unit.fluvial.wire.slow_avro import write

FOLDER = Path(__file__).resolve().parents[3] / "golden" / "records"
DIGESTS = FOLDER / "SHA256SUMS"


def released() -> tuple[Version, ...]:
    """The versions that were released."""
    num_released = {history.name: history.num_released for history in load()}
    return tuple(version for version in EVERY_VERSION if version.number <= num_released[version.record.__name__])


def path(version: Version) -> Path:
    return FOLDER / version.record.__name__ / f"{version.number}.json"


def golden(version: Version) -> dict[str, str]:
    """Fingerprint as in the header, SHA-256 of the schema's text, bytes of the sample; all hexadecimal."""
    avro = sample_of(version).to_avro()
    data = MAGIC + version.fingerprint + write(schema_of(version), avro)
    return {"fingerprint": version.fingerprint.hex(), "schema_sha256": version.sha256, "bytes": data.hex()}


def digest_line(file: Path) -> str:
    """As sha256sum writes it."""
    return f"{sha256(file.read_bytes()).hexdigest()}  {file.relative_to(FOLDER)}\n"


def main() -> None:
    for version in released():
        if not path(version).exists():
            path(version).parent.mkdir(parents=True, exist_ok=True)
            path(version).write_text(json.dumps(golden(version), indent=2) + "\n", encoding="utf-8")
            with DIGESTS.open("a", encoding="utf-8") as file:
                file.write(digest_line(path(version)))


if __name__ == "__main__":
    main()
