"""Where the cluster of this process's jobs is: the environment says so, from the start of the process on."""

from __future__ import annotations

import os

CLUSTER = "FLUVIAL_CLUSTER"
"""Environment variable: the REST address of the cluster that jobs of this process are submitted to."""

_GATEWAY = "PYFLINK_GATEWAY_PORT"


def started_by_flink() -> bool:
    """Whether `flink run` has started this process, and a JVM for it."""
    return _GATEWAY in os.environ


def address() -> str | None:
    """The REST address of the cluster that jobs are submitted to; None where that is left to Flink."""
    return os.environ.get(CLUSTER)


def is_local() -> bool:
    """Whether the cluster starts with this process. Another one has a configuration of its own, which a job must not
    override."""
    return address() is None and not started_by_flink()
