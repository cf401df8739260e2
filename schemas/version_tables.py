"""Writes fluvial/wire/_generated/versions.py: the schema of each version of each record, with its fingerprint.

The schemas' text travels inside the module, so that it is there in a checkout, in a wheel and in a zip.
"""

from __future__ import annotations

import hashlib

from schemas.contract import History, fingerprint, text

_HEADER = '''"""Every version of every record: schema, fingerprint and digest.

Generated from schemas/*.avsc and schemas/versions by `python -m schemas.generate`; do not edit.
"""

# ruff: noqa: E501 - schema texts stand on one line each

from __future__ import annotations

from fluvial.wire import records
from fluvial.wire.version import Version

'''


def versions_module(histories: tuple[History, ...]) -> str:
    """The module's text."""
    lines = ["VERSIONS: dict[type, tuple[Version, ...]] = {"]
    for history in histories:
        lines.append(f"    records.{history.name}: (")
        for number, schema in enumerate(history.versions, 1):
            written = text(schema)
            lines += [
                "        Version(",
                f"            record=records.{history.name},",
                f"            number={number},",
                f'            fingerprint=bytes.fromhex("{fingerprint(schema)}"),',
                f'            sha256="{hashlib.sha256(written.encode()).hexdigest()}",',
                f"            schema={written!r},",
                "        ),",
            ]
        lines.append("    ),")
    lines += ["}", '"""Of each record its versions, from the first: the closed list of what is decoded."""']
    return _HEADER + "\n".join(lines) + "\n"
