"""What aggregation costs by participants, by shards and by size: a series of `fluvial bench aggregate`, one document.

    python -m tests.benchmarks.scaling --output tests/benchmarks/results/DATE-MACHINE-scaling.json

Each measurement is a process of its own, so that peaks of memory are its own. A measurement that is in the output file
already is not repeated; one that failed is. The large ones take minutes, several gigabytes of disk in the temporary
folder, and up to 4 GB of memory besides what is measured. Run nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from fluvial.cli.interruption import interruptible
from tests.benchmarks.machine import machine

_SPARE_GB = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One run of `fluvial bench aggregate`. series: what it is compared with. rule: JSON."""

    series: str
    participants: int
    megabytes: float
    shards: int = 4
    parallelism: int = 2
    rounds: int = 3
    processes: int = 0
    at_once: int = 8
    rule: str = '{"name": "weighted_mean"}'

    @property
    def name(self) -> str:
        rule = json.loads(self.rule)["name"]
        return f"{self.participants} x {self.megabytes:g} MB, {self.shards} shards, {rule}"

    @property
    def disk_gb(self) -> float:
        """Log of the updates, their copies until they are sent, the participants' deltas, and the models."""
        updates = self.participants * self.megabytes / 1000
        return updates * (self.rounds + 2) + self.megabytes / 1000 * (self.rounds + 1) * 2

    def arguments(self) -> list[str]:
        options = {name: value for name, value in asdict(self).items() if name != "series"}
        return [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]


_MEDIAN = '{"name": "median"}'

SERIES = (
    *(Measurement(series="participants", participants=number, megabytes=0.1) for number in (10, 100, 1000)),
    *(Measurement(series="shards", participants=8, megabytes=40, shards=number) for number in (1, 2, 4)),
    *(Measurement(series="size", participants=8, megabytes=size) for size in (4, 40, 160)),
    Measurement(series="memory", participants=100, megabytes=40, rounds=1, at_once=2),
    Measurement(series="memory", participants=8, megabytes=1000, rounds=1, processes=2, at_once=2),
    Measurement(series="memory", participants=8, megabytes=1000, rounds=1, processes=2, at_once=2, rule=_MEDIAN),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 when a measurement failed."""
    options = _parser().parse_args(arguments)
    try:
        document = _load(options.output)
    except ValueError as error:
        _report(str(error))
        return 2
    failed = False
    try:
        with interruptible():
            for measurement in SERIES:
                if measurement.series in options.series and not _is_done(document, measurement):
                    result = measure(measurement, options.time_limit)
                    failed |= "error" in result
                    _put(document, measurement, result)
                    options.output.write_text(json.dumps(document, indent=1) + "\n")
    except KeyboardInterrupt:
        _report("interrupted")
        return 130
    for line in table(document):
        print(line)
    return 1 if failed else 0


def measure(measurement: Measurement, time_limit: float) -> dict[str, Any]:
    """What `fluvial bench aggregate --json` prints, or an error."""
    _report(f"{measurement.series}: {measurement.name}")
    free_gb = shutil.disk_usage(tempfile.gettempdir()).free / 1e9
    if free_gb < measurement.disk_gb + _SPARE_GB:
        return {"error": f"{measurement.disk_gb:.0f} GB of disk are needed, {free_gb:.0f} GB are free"}
    command = Path(sys.executable).with_name("fluvial")
    arguments = [str(command), "bench", "aggregate", "--json", *measurement.arguments()]
    run = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    try:
        output, _ = run.communicate(timeout=time_limit)
    except subprocess.TimeoutExpired:
        output = ""
        _report(f"not done within {time_limit:.0f} s")
    finally:
        if run.poll() is None:
            run.terminate()  # it then ends its own processes
            run.wait()
    if run.returncode != 0:
        return {"error": f"ended with status {run.returncode}"}
    result: dict[str, Any] = json.loads(output)
    return result


def table(document: dict[str, Any]) -> list[str]:
    """Lines for a terminal. Processor time of the operators is for each gigabyte of updates, the median of rounds."""
    lines = [
        f"{'series':13}{'participants':>13}{'MB':>8}{'shards':>7}  {'rule':15}{'s a round':>10}{'MB/s':>7}"
        f"{'s cpu/GB':>10}{'peak MB':>9}"
    ]
    for each in document["measurements"]:
        what, result = each["measurement"], each["result"]
        head = (
            f"{what['series']:13}{what['participants']:13}{what['megabytes']:8g}{what['shards']:7}  "
            f"{json.loads(what['rule'])['name']:15}"
        )
        if "error" in result:
            lines.append(f"{head}{result['error']}")
            continue
        gigabytes = what["participants"] * what["megabytes"] / 1000
        cpu = median(each["cpu_seconds"]["operators"] for each in result["rounds"]) / gigabytes
        lines.append(
            f"{head}{result['seconds_per_round']:10.2f}{result['megabytes_per_second']:7.0f}{cpu:10.2f}"
            f"{result['peak_rss_mb']['operators']:9.0f}"
        )
    return lines


def _load(path: Path) -> dict[str, Any]:
    """Raises ValueError for a file of another machine: figures of two do not belong in one document."""
    if not path.exists():
        return {"machine": machine(), "measurements": []}
    document: dict[str, Any] = json.loads(path.read_text())
    if document["machine"] != machine():
        raise ValueError(f"{path} was measured on another machine or with other versions")
    return document


def _is_done(document: dict[str, Any], measurement: Measurement) -> bool:
    found = [each["result"] for each in document["measurements"] if each["measurement"] == asdict(measurement)]
    return any("error" not in result for result in found)


def _put(document: dict[str, Any], measurement: Measurement, result: dict[str, Any]) -> None:
    """In place of an earlier, failed one."""
    kept = [each for each in document["measurements"] if each["measurement"] != asdict(measurement)]
    document["measurements"] = [*kept, {"measurement": asdict(measurement), "result": result}]


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    names = list(dict.fromkeys(measurement.series for measurement in SERIES))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="file for the results, as JSON; goes on from it")
    parser.add_argument("--series", nargs="+", choices=names, default=names, help="which; all by default")
    parser.add_argument("--time-limit", type=float, default=1800.0, help="seconds for one measurement")
    return parser


if __name__ == "__main__":
    sys.exit(main())
