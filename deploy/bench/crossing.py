"""What it costs to hand one small record from Java to Python and back, in PyFlink's thread mode.

    python -m deploy.bench.crossing RECORDS

runs one job: numbers from Java through a Python function that does nothing. Two of them of different length tell what a
record takes, without what the start takes. In a process of its own, as a JVM is started once in a process.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from pyflink.common import Types, WatermarkStrategy
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.java_gateway import get_gateway

from deploy.cluster import flink_home
from fluvial.identity.brokers import Brokers
from pipelines.config import Settings
from pipelines.flink import gateway
from pipelines.flink.environment import execute, stream_environment

_RECORDS = 100_000
_TIMEOUT_SECONDS = 120.0


def crossing_microseconds(directory: Path) -> float:
    """Of one record, by the clock. directory: for what Flink writes. Raises CalledProcessError, TimeoutExpired."""
    directory.mkdir(parents=True)
    environment = {
        **flink_home.environment(directory),
        "FLINK_CONF_DIR": str(flink_home.flink_home() / "conf"),
        "FLINK_LOG_DIR": str(directory),
    }
    command = [sys.executable, "-m", "deploy.bench.crossing", str(directory)]
    done = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS
    )
    return float(done.stdout.split()[-1])


def _seconds(settings: Settings, num_records: int) -> float:
    environment = stream_environment(settings, "crossing")
    numbers = environment.from_source(
        NumberSequenceSource(1, num_records), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG()
    )
    crossed = numbers.map(lambda number: number, Types.LONG())
    sink = get_gateway().jvm.org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink()
    crossed._j_data_stream.sinkTo(sink)
    began = time.perf_counter()
    execute(environment, "crossing")
    return time.perf_counter() - began


def main() -> None:
    folder = Path(sys.argv[1])
    settings = Settings(
        brokers=Brokers(bootstrap_servers="none:1"),
        operator_key="",
        registrar_key="",
        aggregator_key="",
        log_origin="",
        keys_dir=folder,
        checkpoint_dir=folder / "checkpoints",
        restart_attempts=0,
        repository_root=Path.cwd(),
    )
    try:
        _seconds(settings, _RECORDS)
        few, many = (_seconds(settings, num_records) for num_records in (_RECORDS, 5 * _RECORDS))
    finally:
        gateway.end()
    print(f"{(many - few) / (4 * _RECORDS) * 1e6:.3f}")


if __name__ == "__main__":
    main()
