"""Names of the classes of processors that measurements and decisions are about."""

from __future__ import annotations

import re

CLASSES = ("AMX", "AVX512_VNNI", "AVX_VNNI", "AVX512", "AVX2", "NEON_DOT", "NEON", "OTHER")
"""Classes of processors, the most capable first of each kind."""

_CUDA = re.compile(r"CUDA_[1-9][0-9]?_[0-9]")


def is_processor_class(name: str) -> bool:
    """Whether this is a class of processors, or of NVIDIA devices by compute capability (CUDA_9_0)."""
    return name in CLASSES or _CUDA.fullmatch(name) is not None
