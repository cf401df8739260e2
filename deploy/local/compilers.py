"""Which of Java's two compilers a program gets.

The first starts fast, and is enough where the heavy work is Python's and C's. But it does not know the processor's
instructions for SHA-256, which the second does: by it a stage's proof of a record (`org.fluvial.flink.StageMac`) takes
1 µs and not 15, and a leaf of the audit log has three of them. So programs that run operators have the second compiler
as well, for the digest alone: for all of Java it costs more than it brings in the first minute.

Source: JEP 165, compiler directives.
"""

from __future__ import annotations

import json
from pathlib import Path

FIRST = "-XX:TieredStopAtLevel=1"
"""Option of a JVM that has the first compiler alone."""

_FILE = "compilers.json"
_DIRECTIVES = [
    {"match": ["sun/security/provider/SHA2*.*", "sun/security/provider/DigestBase.*"], "c2": {"Exclude": False}},
    {"match": ["*.*"], "c2": {"Exclude": True}},
]
"""The first that matches a method holds."""


def first_but_for_digests(folder: Path) -> list[str]:
    """Options of a JVM that runs operators. folder: in which it runs; it gets the file that the options name, because
    PyFlink takes a JVM's options as one text, in which no path may hold a space."""
    (folder / _FILE).write_text(json.dumps(_DIRECTIVES, indent=1))
    return ["-XX:+UnlockDiagnosticVMOptions", f"-XX:CompilerDirectivesFile={_FILE}"]
