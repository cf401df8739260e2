"""The example tasks that are packages: they load, run by name, and their data can be made as their scripts say."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.commands.simulate import folder_of
from deploy.simulation.learning import plan_of
from deploy.tasks.pneumonia import prepare as pneumonia
from deploy.tasks.speech import data as speech_data
from deploy.tasks.speech import prepare as speech
from fluvial.edge.training.task_code import TaskCode
from models.aggregation.fixed_point import fraction_bits

GROUPS = {
    "pneumonia": {"site": 5},
    "speech": {"speaker": 6, "voice": 2},
}
INPUTS = {"pneumonia": (1, 28, 28), "speech": (1, 24, 32)}
PARTICIPANTS = 5


def rows_of(values: NDArray[np.generic]) -> set[bytes]:
    return {row.tobytes() for row in values}


@pytest.mark.parametrize("name", GROUPS)
def test_a_packaged_task_fits_its_data_and_nobody_trains_on_what_it_is_measured_on(name: str) -> None:
    plan = plan_of(folder_of(name))
    code = TaskCode.of(plan.task_file, plan.packages)
    parts = [code.participant_examples(plan.data, index) for index in range(PARTICIPANTS)]
    with pytest.raises(ValueError, match=f"there is no .*-{PARTICIPANTS}.npz"):
        code.participant_examples(plan.data, PARTICIPANTS)
    measured = code.evaluation_examples()
    assert measured is not None
    assert {attribute: len(names) for attribute, (_, names) in measured.groups.items()} == GROUPS[name]
    seen = [rows_of(part.arrays()["inputs"]) for part in parts]
    assert {part.arrays()["inputs"].shape[1:] for part in [*parts, measured]} == {INPUTS[name]}
    assert sum(map(len, seen)) == len(set().union(*seen)) == sum(map(len, parts))
    assert not set().union(*seen) & rows_of(measured.arrays()["inputs"])
    limits, target = plan.task_file.limits, plan.task_file.target
    assert max(map(len, parts)) <= limits.max_weight
    assert fraction_bits(target, limits.max_weight, limits.max_abs) >= 32


def test_sites_have_the_shares_that_are_said_and_no_image_of_another() -> None:
    labels = np.array([0] * 600 + [1] * 1000)
    rows = pneumonia.training_rows(labels)
    assert [len(part) for part in rows] == [pneumonia.NUM_EXAMPLES] * PARTICIPANTS
    assert [labels[part].mean() for part in rows] == pytest.approx(pneumonia.SITES)
    assert len(set(np.concatenate(rows).tolist())) == PARTICIPANTS * pneumonia.NUM_EXAMPLES
    with pytest.raises(ValueError, match="images of each class are too few"):
        pneumonia.training_rows(labels[:700])


def test_each_site_is_measured_on_its_own_mixture() -> None:
    labels = np.array([0, 1, 1] * 200)
    sites = pneumonia.evaluation_sites(labels)
    found = np.array([[((sites == site) & (labels == label)).sum() for label in (0, 1)] for site in range(5)])
    expected = pneumonia.numbers_by_site() / pneumonia.numbers_by_site().sum(axis=0) * [200, 400]
    assert np.abs(found - expected).max() < 1


def test_an_image_that_is_there_twice_is_taken_once() -> None:
    images = np.stack([np.full((28, 28), value, np.uint8) for value in (1, 2, 1, 3, 2)])
    assert pneumonia.distinct(images, images[:0]).tolist() == [0, 1, 3]
    assert pneumonia.distinct(images, images[1:2]).tolist() == [0, 3]


def test_a_tone_lies_in_its_band_and_silence_follows_it() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(1600) / speech.RATE)
    found = speech.spectrogram(tone)
    assert found.shape == (speech.BANDS, speech.FRAMES)
    centres = speech.filters().argmax(axis=1) * speech.RATE / speech.FRAME
    assert abs(centres[found[:, 2].argmax()] - 1000) < 100
    assert found.max() == 255
    assert found[:, :7].any(axis=0).all()
    assert not found[:, 7:].any()
    assert not speech.spectrogram(np.zeros(100)).any()


def test_recordings_of_another_rate_are_refused() -> None:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(200))
    with pytest.raises(ValueError, match="recordings are of 8000 Hz"):
        speech.read_wav(content.getvalue())


def test_the_speaker_nobody_has_is_told_apart() -> None:
    _, _, groups = speech_data.evaluation(folder_of("speech"))
    pairs = set(zip(groups["speaker"], groups["voice"], strict=True))
    assert {speaker for speaker, voice in pairs if voice == "nobody's"} == {speech_data.UNHEARD}
    assert len(pairs) == len(speech_data.SPEAKERS) == PARTICIPANTS + 1


def test_a_spectrogram_is_scaled_by_what_was_spoken_and_not_by_the_silence_that_fills_it(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    spoken = random.integers(1, 200, (1, 24, 20))
    short = np.concatenate([spoken, np.zeros((1, 24, 12), np.int64)], axis=2).astype(np.uint8)
    louder = np.where(short > 0, short + 50, 0).astype(np.uint8)
    silence = np.zeros_like(short)
    np.savez(tmp_path / "speaker-0.npz", spectrograms=np.concatenate([short, louder, silence]), digits=[1, 1, 2])
    found, _ = speech_data.load(tmp_path, 0)
    assert found.shape == (3, 1, 24, 32)
    np.testing.assert_allclose(found[0, 0, :, :20].mean(axis=1), 0, atol=1e-5)
    assert 0.5 < found[0, 0, :, :20].std() < 1
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)  # the louder microphone is not heard
    assert not found[0, 0, :, 20:].any()
    assert not found[2].any()
