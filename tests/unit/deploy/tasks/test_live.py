"""The real-time examples: what streams in becomes what the models were trained on, and what they say is told."""

from __future__ import annotations

import wave
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from deploy.tasks.air import live as air
from deploy.tasks.air.data import WINDOW
from deploy.tasks.air.data import evaluation as air_evaluation
from deploy.tasks.speech import live as speech
from deploy.tasks.speech.data import evaluation as speech_evaluation
from deploy.tasks.speech.prepare import RATE

AIR = Path(air.__file__).parent
SPEECH = Path(speech.__file__).parent


def test_an_hourly_stream_gives_the_windows_that_the_model_is_measured_on(tmp_path: Path) -> None:
    """Of the first two stretches of each station."""
    arrays = load_file(AIR / "evaluation.safetensors")
    save_file({name: values[:, :2] for name, values in arrays.items()}, tmp_path / "evaluation.safetensors")
    streamed = np.stack([window for _, window in air.days(air.replayed(tmp_path / "evaluation.safetensors", 1e9))])
    windows, _, _ = air_evaluation(tmp_path)
    assert len(windows) > 400
    # Hours go on from day to day in a file, and begin anew in a stream: their sines differ in the last place.
    rounded = {(1000 * window).round().astype(int).tobytes() for window in streamed}
    assert all((1000 * window).round().astype(int).tobytes() in rounded for window in windows)


def test_a_station_has_no_forecast_before_its_first_day() -> None:
    windows = air.Windows()
    hours = [air.parsed(f"Dongsi,{hour},{100 + hour},20,5,1013,2,SE") for hour in range(WINDOW)]
    found = [windows.take(hour) for hour in hours]
    assert found[:-1] == [None] * (WINDOW - 1)
    assert found[-1] is not None
    assert found[-1][-1, 0] == pytest.approx(1.23)


def test_a_silent_sensor_goes_on_with_its_last_measurement() -> None:
    windows = air.Windows()
    lines = ["Dongsi,0,70,20,5,1013,2,SE", *(f"Dongsi,{hour % 24},,20,5,1013,2,SE" for hour in range(1, 30))]
    found = [windows.take(air.parsed(line)) for line in lines][-1]
    assert found is not None
    assert found[:, 0] == pytest.approx(0.7)
    assert not found[:, 1].any()


def test_a_line_that_is_no_measurement_is_shown() -> None:
    with pytest.raises(ValueError, match="Dongsi,noon"):
        air.parsed("Dongsi,noon,1,2,3\n")


def test_an_alarm_is_told() -> None:
    hour = air.parsed("Dongsi,20,148,20,5,1013,2,SE")
    assert air.told(hour, 171.2, 0.004, alarm=True).split() == (
        ["Dongsi", "20:00", "148", "µg/m³", "now", "171", "at", "02:00", "4", "ms", "ALARM"]
    )


def test_a_file_of_recordings_is_played_as_the_model_was_measured_on_it() -> None:
    played = list(islice(speech.recordings(SPEECH / "evaluation.npz", 0.0), 20))
    spectrograms, digits, _ = speech_evaluation(SPEECH)
    assert np.array_equal(np.stack([example for _, example in played]), spectrograms[:20])
    assert [speech.digit_of(name) for name, _ in played] == digits[:20].tolist()


def test_a_recording_that_arrives_in_a_folder_is_sent_once(tmp_path: Path) -> None:
    def record(name: str, tone: float) -> None:
        samples = (8000 * np.sin(np.arange(RATE // 2) * tone)).astype("<i2")
        with wave.open(str(tmp_path / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(samples.tobytes())

    record("first.wav", 0.3)
    (tmp_path / "half.wav").write_bytes(b"RIFF")
    stream = speech.recordings(tmp_path, 0.0)
    assert next(stream)[0] == "first.wav"
    record("half.wav", 0.5)
    name, example = next(stream)
    assert (name, example.shape) == ("half.wav", (1, 24, 32))


def test_a_source_that_is_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no folder"):
        next(speech.recordings(tmp_path / "none.txt", 0.0))


def test_the_largest_output_is_the_digit() -> None:
    outputs = np.zeros(10, np.float32)
    outputs[7] = 5.0
    digit, certainty = speech.spoken(outputs)
    assert digit == 7
    assert certainty == pytest.approx(np.exp(5) / (np.exp(5) + 9))
