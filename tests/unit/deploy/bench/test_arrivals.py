from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.bench.arrivals import Arrival, collect
from deploy.machine.errors import StartError


class _Reader:
    """Gives a batch at each look."""

    def __init__(self, batches: list[list[int]]) -> None:
        self._batches = batches

    def poll(self, timeout: float) -> list[Arrival]:
        return [Arrival(time_ms, b"%d" % time_ms) for time_ms in (self._batches.pop(0) if self._batches else [])]


class _Usage:
    """One more second of processor time at each look."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def cpu_seconds(self) -> dict[str, float]:
        self._seconds += 1.0
        return {"operators": self._seconds}


def _collect(batches: list[list[int]], expected: int, pid: int | None = 1, log: Path = Path("job.log")) -> Any:
    job: Any = SimpleNamespace(pid=pid, log=log)
    reader: Any = _Reader(batches)
    usage: Any = _Usage()
    return collect(reader, job, usage, expected)


def test_start_up_counts_neither_in_the_rate_nor_in_processor_time() -> None:
    # A fifth of the records after one second, the rest one a millisecond.
    arrivals = _collect([[0] * 20, [1000 + i for i in range(40)], [1040 + i for i in range(40)]], 100)
    assert arrivals.rate.per_second == pytest.approx(1000)
    assert arrivals.cpu_microseconds == {"operators": pytest.approx(1e6 / 80)}
    assert arrivals.values[-1] == b"1079"
    assert arrivals.to_dict()["records_by_second"] == [20, 80]


def test_a_job_that_ends_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "job.log").write_text("out of memory")
    with pytest.raises(StartError, match="out of memory"):
        _collect([], 10, pid=None, log=tmp_path / "job.log")
