"""What the unit tests would otherwise do again and again."""

from __future__ import annotations

import sys
from functools import cache

import pytest

_TABLES = "onnxscript._framework_apis.torch_"
_once: set[str] = set()


@pytest.fixture(autouse=True)
def _one_table_of_operators_for_all_exports() -> None:
    """`torch.onnx.export` translates the source of some 500 operators anew for each model, for about a second.

    The first export of a process imports what does that; from the next test on its answer is kept.
    """
    for name in [name for name in sys.modules if name.startswith(_TABLES) and name not in _once]:
        module = sys.modules[name]
        module.get_torchlib_ops = cache(module.get_torchlib_ops)  # type: ignore[attr-defined]
        _once.add(name)
