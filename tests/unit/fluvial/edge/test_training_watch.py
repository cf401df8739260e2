"""What is told of training is of the device that trained."""

from types import SimpleNamespace

import pytest

from fluvial.edge import training_watch
from fluvial.edge.training_watch import TrainingWatch
from fluvial.inference.processor import processor_class


@pytest.fixture
def round_():
    return SimpleNamespace(training='{"epochs": 2}')


@pytest.mark.parametrize(("device", "named", "joules"), [("cpu", "AVX2", 3.0), ("cuda", "CUDA_9_0", 40.0)])
def test_class_and_energy_are_those_of_the_device(device, named, joules, round_, monkeypatch):
    used = {"cpu": iter([1.0, 4.0]), "cuda": iter([50.0, 90.0])}
    monkeypatch.setattr(training_watch, "joules_so_far", lambda device: next(used[device]))
    monkeypatch.setattr(training_watch, "processor_class", {"cpu": "AVX2", "cuda": "CUDA_9_0"}.__getitem__)
    told = TrainingWatch(device).report(round_)
    assert (told.device_class, told.joules) == (named, joules)


def test_a_device_that_nothing_names_is_told_as_the_processor(round_, monkeypatch):
    def unnamed(device="cpu"):
        if device == "cuda":
            raise ValueError("this machine has no NVIDIA device")
        return processor_class()

    monkeypatch.setattr(training_watch, "processor_class", unnamed)
    assert TrainingWatch("cuda").report(round_).device_class == processor_class()
