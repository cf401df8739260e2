"""What kind of processor this is: a measurement holds for its kind alone.

The same eight-bit model answers differently where products saturate (AVX2 without VNNI), and bfloat16 is fast on some
processors and slow on others. So a class is named by the widest instructions that the runtime would use.
"""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

from fluvial.inference import nvml
from fluvial.wire.processors import CLASSES

_FLAGS = {
    "amx_int8": "AMX",
    "avx512_vnni": "AVX512_VNNI",
    "avx_vnni": "AVX_VNNI",
    "avx512f": "AVX512",
    "avx2": "AVX2",
    "asimddp": "NEON_DOT",
    "asimd": "NEON",
}


def class_of(flags: frozenset[str], machine: str) -> str:
    """The class of a processor with these instruction flags, as Linux names them. machine: as `platform.machine()`."""
    found = {_FLAGS[flag] for flag in flags if flag in _FLAGS}
    if not found and machine.lower() in ("arm64", "aarch64"):
        return "NEON"
    return next((name for name in CLASSES if name in found), "OTHER")


DEVICES = ("auto", "cpu", "cuda")


def check_device(name: str) -> None:
    """Raises ValueError for what is no device's name."""
    if name not in DEVICES:
        raise ValueError(f"device must be auto, cpu or cuda, got {name!r}")


@cache
def processor_class(device: str = "cpu") -> str:
    """The class of this machine's processor. Where the system does not list instructions: by its architecture. device:
    cuda for that of its first NVIDIA device, by compute capability. Raises ValueError where there is none."""
    if device == "cuda":
        found = nvml.capabilities()
        if not found:
            raise ValueError("this machine has no NVIDIA device")
        return found[0]
    return class_of(_flags(Path("/proc/cpuinfo")), platform.machine())


def _flags(cpuinfo: Path) -> frozenset[str]:
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip().lower() in ("flags", "features"):
            return frozenset(value.split())
    return frozenset()
