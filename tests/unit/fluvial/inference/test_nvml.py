"""What the management library is asked, with one that answers as two devices do."""

import ctypes

import pytest

from fluvial.inference import nvml, timing
from fluvial.inference.processor import processor_class


class Library:
    """The functions by their names, as libnvidia-ml has them. The second device does not count energy."""

    def nvmlDeviceGetCount_v2(self, count):
        count._obj.value = 2
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index, device):
        device._obj.value = index + 1
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, device, used):
        used._obj.value = 7_000
        return 0 if device.value == 1 else 3

    def nvmlDeviceGetCudaComputeCapability(self, device, major, minor):
        major._obj.value, minor._obj.value = 9, 0
        return 0


def test_energy_and_capability_of_devices_are_told(monkeypatch, tmp_path):
    monkeypatch.setattr(nvml, "_library", Library)
    monkeypatch.setattr(timing, "_POWERCAP", tmp_path)
    assert nvml.millijoules() == 7_000
    assert timing.joules_so_far("cuda") == 7.0
    assert timing.joules_so_far() == 0.0, "what stands idle beside a processor is counted to what that does"
    assert processor_class.__wrapped__("cuda") == "CUDA_9_0"


def test_without_the_library_there_are_no_devices(monkeypatch):
    def absent(name):
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", absent)
    nvml._library.cache_clear()
    assert nvml.capabilities() == []
    assert nvml.millijoules() == 0
    with pytest.raises(ValueError, match="no NVIDIA device"):
        processor_class.__wrapped__("cuda")
    nvml._library.cache_clear()
