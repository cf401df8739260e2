"""Which of Java's two compilers a program gets.

The first starts fast, and is enough where the heavy work is Python's and C's. But it does not know the processor's
instructions for SHA-256, which the second does: by it a stage's proof of a record (`org.fluvial.flink.StageMac`) takes
1 µs and not 15, and a leaf of the audit log has three of them. Where proofs are much of the work, a job has the second
compiler as well, for the digest alone. Methods are then compiled twice, first with counters in them, which aggregation
feels in its first rounds, and it has few proofs; for all of Java the second compiler costs still more.

Source: JEP 165, compiler directives.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

FIRST = "-XX:TieredStopAtLevel=1"
"""Option of a JVM that has the first compiler alone."""

_WITHOUT_PROFILES = [
    f"-XX:-C1{what}"
    for what in (
        "ProfileCalls",
        "ProfileVirtualCalls",
        "ProfileInlinedCalls",
        "ProfileBranches",
        "ProfileCheckcasts",
        "UpdateMethodData",
    )
]
"""Where both compilers are at work, the first fills profiles for the second, which makes its code slower and larger.
The digest has no use for them."""

_FILE = "compilers.json"
_DIRECTIVES = [
    {"match": ["sun/security/provider/SHA2*.*", "sun/security/provider/DigestBase.*"], "c2": {"Exclude": False}},
    {"match": ["*.*"], "c2": {"Exclude": True}},
]
"""The first that matches a method holds."""


def of_a_job(stages: Sequence[str], folder: Path) -> list[str]:
    """Options of the JVM of a job with these stages, which runs in this folder."""
    return [FIRST] if "aggregation" in stages else first_but_for_digests(folder)


def first_but_for_digests(folder: Path) -> list[str]:
    """Options of a JVM that has the second for SHA-256. folder: in which it runs; it gets the file that the options
    name, because PyFlink takes a JVM's options as one text, in which no path may hold a space."""
    (folder / _FILE).write_text(json.dumps(_DIRECTIVES, indent=1))
    # The first unlocks the others: newer releases of Java count all of them as diagnostic.
    return ["-XX:+UnlockDiagnosticVMOptions", *_WITHOUT_PROFILES, f"-XX:CompilerDirectivesFile={_FILE}"]
