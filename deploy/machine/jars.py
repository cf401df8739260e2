"""Where the broker's jars lie, built by `make setup`. Those of the jobs: `pipelines.flink.jars`."""

from __future__ import annotations

import os
from pathlib import Path

from deploy.machine.errors import StackError
from pipelines.flink.jars import flink_jars

CHECKOUT = Path(__file__).resolve().parents[2]


def kafka_jars() -> Path:
    """The folder of the broker's jars: FLUVIAL_KAFKA_JARS, else build/jars/kafka of this checkout.

    Raises StackError, saying what to do, if the broker is not there.
    """
    folder = Path(os.path.expanduser(os.environ.get("FLUVIAL_KAFKA_JARS", "")) or CHECKOUT / "build" / "jars" / "kafka")
    if not any(folder.glob("kafka_2.13-*.jar")):
        raise StackError(f"no broker in {folder}: run `make setup`, or name the folder in FLUVIAL_KAFKA_JARS")
    return folder


def adapters() -> list[Path]:
    """Our own jar, which has the broker's main class beside the adapters of the jobs. Raises StackError."""
    try:
        return [jar for jar in flink_jars() if jar.name.startswith("fluvial-")]
    except FileNotFoundError as error:
        raise StackError(str(error)) from error
