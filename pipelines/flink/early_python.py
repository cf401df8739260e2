"""The interpreter of a local job's operators, started before there is a job.

It is inside the JVM that this process has started (`pipelines.flink.gateway`), and imports there what this process has
imported of the operators, while the job's settings are not known yet. See `org.fluvial.flink.EarlyPython`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from pyflink.java_gateway import get_gateway

from pipelines.flink.environment import path_of_operators

_CHECKOUT = Path(__file__).resolve().parents[2]
_FIRST = ("pyflink.fn_execution.embedded.operation_utils", "cloudpickle")
"""What PyFlink asks for, before anything of ours."""


def begin() -> None:
    """Begin, and return; what cannot be imported is the operators' to say. Call when the stages are imported."""
    statements = "\n".join(f"import {module}" for module in [*_FIRST, *_of_operators(sys.modules)])
    path = path_of_operators(_CHECKOUT, thread_mode=True)
    get_gateway().jvm.org.fluvial.flink.EarlyPython.begin(sys.executable, path, statements)


def _of_operators(modules: Iterable[str]) -> list[str]:
    return sorted(name for name in modules if name.startswith("pipelines.") and ".operators" in name)
