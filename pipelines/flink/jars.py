"""Where the jars lie that every job needs: the Kafka connector and our adapters, built by `make setup`."""

from __future__ import annotations

import os
from pathlib import Path

CLIENT_PACKAGE = "org.apache.flink.kafka.shaded.org.apache.kafka"
"""Where the connector's jar brings the Kafka client."""
_CHECKOUT = Path(__file__).resolve().parents[2]


def flink_jars() -> list[Path]:
    """The jars, from the folder named by FLUVIAL_JARS, else from build/jars/flink of this checkout.

    Raises FileNotFoundError, saying what to do, if the connector or the adapters are not there.
    """
    named = os.path.expanduser(os.environ.get("FLUVIAL_JARS", ""))
    folder = Path(named or _CHECKOUT / "build" / "jars" / "flink")
    jars = sorted(folder.glob("*.jar"))
    for needed in ("flink-sql-connector-kafka", "fluvial-flink-adapters"):
        if not any(jar.name.startswith(needed) for jar in jars):
            raise FileNotFoundError(
                f"no {needed}-*.jar in {folder}: run `make setup`, or name the folder of the jars in FLUVIAL_JARS"
            )
    return jars
