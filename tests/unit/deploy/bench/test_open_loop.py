"""Open-loop load: the times are fixed beforehand, and what the server did is counted from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.bench.serving.load_process import send_at
from deploy.bench.serving.open_loop import Outcome, arrivals, percentile


def an_outcome(intended: list[float], latencies: list[float], answers: int = 1, refused: bool = False) -> Outcome:
    times = np.array(intended)
    return Outcome(
        intended=times,
        received=times + np.array(latencies),
        computed=np.full(len(times), np.nan),
        promotion=np.full(len(times), 4),
        answers=np.full(len(times), answers),
        refused=np.full(len(times), refused),
    )


def test_arrivals_are_a_poisson_process_of_the_rate_and_the_same_for_the_same_seed() -> None:
    times = arrivals(1_000, 20, seed=3)
    assert len(times) == pytest.approx(20_000, rel=0.03)
    assert np.diff(times).std() == pytest.approx(1e-3, rel=0.05)
    assert np.array_equal(times, arrivals(1_000, 20, seed=3))
    assert times[-1] < 20


def test_a_latency_counts_from_the_intended_time_and_late_answers_make_no_rate() -> None:
    outcome = an_outcome([0.0, 1.0, 2.0], [0.010, 5.0, 0.020])
    found = outcome.figures()
    assert (found["p50_ms"], found["p95_ms"]) == (20.0, 5000.0)
    assert found["answered_per_second"] == 0.5  # of two seconds, one was there in time
    assert "p99_ms" not in found


def test_a_request_without_an_answer_is_the_slowest_and_failed() -> None:
    outcome = an_outcome([0.0, 1.0], [0.01, np.nan])
    assert outcome.failed == 1
    assert outcome.figures()["p95_ms"] == -1.0
    assert an_outcome([0.0, 1.0], [0.01, 0.01], refused=True).failed == 2


def test_requests_that_were_answered_twice_are_counted() -> None:
    assert an_outcome([0.0, 1.0], [0.1, 0.1], answers=2).repeated == 2


def test_percentiles_are_of_the_nearest_rank() -> None:
    values = np.arange(1.0, 101.0)
    assert [percentile(values, percent) for percent in (50, 95, 99, 100)] == [50.0, 95.0, 99.0, 100.0]


def test_an_outcome_is_read_as_it_was_written(tmp_path: Path) -> None:
    outcome = an_outcome([0.0, 1.0, 2.0], [0.1, np.nan, 0.2])
    outcome.save(tmp_path / "o.npz")
    read = Outcome.load(tmp_path / "o.npz").since(0.5)
    assert np.array_equal(read.received, outcome.received[1:], equal_nan=True)


def test_what_is_due_goes_out_at_once() -> None:
    sent: list[int] = []
    send_at([0.0, 0.0, 0.01], sent.append)
    assert sent == [0, 1, 2]
