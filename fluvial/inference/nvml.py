"""What NVIDIA's management library tells of this machine's devices, without a package for it: four functions of
libnvidia-ml, by ctypes. Where there is no such library there are no such devices."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache
from typing import Any

_LIBRARY = "libnvidia-ml.so.1"


def millijoules() -> int:
    """Energy that all devices have used since their driver was loaded; those that do not count it (before Volta) are
    left out."""
    total = 0
    for device in _devices():
        used = ctypes.c_ulonglong()
        if _library().nvmlDeviceGetTotalEnergyConsumption(device, ctypes.byref(used)) == 0:
            total += used.value
    return total


def capabilities() -> list[str]:
    """CUDA compute capability of each device, as CUDA_9_0."""
    found = []
    for device in _devices():
        major, minor = ctypes.c_int(), ctypes.c_int()
        if _library().nvmlDeviceGetCudaComputeCapability(device, ctypes.byref(major), ctypes.byref(minor)) == 0:
            found.append(f"CUDA_{major.value}_{minor.value}")
    return found


@cache
def _library() -> Any:
    """The library, ready; None where there is none."""
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
    return library if library.nvmlInit_v2() == 0 else None


def _devices() -> Iterator[ctypes.c_void_p]:
    library, count = _library(), ctypes.c_uint()
    if library is None or library.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
        return
    for index in range(count.value):
        device = ctypes.c_void_p()
        if library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)) == 0:
            yield device
