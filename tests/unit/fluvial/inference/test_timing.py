"""Timing of a model: what is counted, not how fast this machine is."""

import numpy as np
import pytest

from fluvial.inference import timing


def test_calls_and_batches_are_as_many_as_asked_for():
    sizes = []
    result = timing.measure_timing(
        lambda x: sizes.append(len(x)), np.zeros((3, 2), np.float32), batch=8, calls=5, batches=4
    )
    assert sizes == [1, 8, 1, 8, 1] + [1] * 5 + [8] * 4
    assert result.calls == 5
    assert result.batch == 8
    assert result.throughput > 0
    assert 0 < result.latency_p50_us <= result.latency_p95_us
    assert result.peak_memory_bytes > 0


def test_a_99th_percentile_is_told_from_ten_thousand_calls_on():
    inputs = np.zeros((1, 1), np.float32)
    assert timing.measure_timing(lambda x: None, inputs, batch=1, calls=100).latency_p99_us == 0.0
    many = timing.measure_timing(lambda x: None, inputs, batch=1, calls=timing.LEAST_CALLS_FOR_P99)
    assert many.latency_p99_us > 0.0


def test_a_fast_model_is_called_often_enough_for_it_and_a_slow_one_no_longer_than_a_second(monkeypatch):
    inputs = np.zeros((1, 1), np.float32)
    assert timing.measure_timing(lambda x: None, inputs, batch=1).calls == timing.LEAST_CALLS_FOR_P99
    monkeypatch.setattr(timing, "CALLS_SECONDS", 0.0)
    assert timing.measure_timing(lambda x: None, inputs, batch=1).calls == timing.FEW_CALLS


def test_without_inputs_nothing_is_timed():
    with pytest.raises(ValueError, match="no inputs"):
        timing.measure_timing(lambda x: None, np.zeros((0, 1), np.float32), batch=1)


def test_energy_is_read_where_the_machine_tells(tmp_path, monkeypatch):
    counter = tmp_path / "intel-rapl:0" / "energy_uj"
    counter.parent.mkdir()
    counter.write_text("1000000")
    monkeypatch.setattr(timing, "_POWERCAP", tmp_path)
    monkeypatch.setattr(timing, "CALLS_SECONDS", 0.05)

    def run(inputs):
        counter.write_text(str(int(counter.read_text()) + 500))

    assert timing.measure_timing(run, np.zeros((1, 1), np.float32), batch=2, batches=10).joules == pytest.approx(
        0.00025
    )
