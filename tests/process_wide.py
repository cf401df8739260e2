"""What tests would otherwise do again and again, before each of thousands: once for a process."""

from __future__ import annotations

import logging
import sys
from functools import cache

_TABLES = "onnxscript._framework_apis.torch_"
_LOGGERS = "torch"
_once: set[str] = set()


def prepare() -> None:
    """Called before each test, since a library is prepared when the first test has imported it."""
    for name in ("onnxscript._framework_apis", _LOGGERS):
        if name in sys.modules and name not in _once:
            _once.add(name)
            _PREPARE[name]()


def _one_table_of_operators_for_all_exports() -> None:
    """`torch.onnx.export` translates the source of some 500 operators anew for each model, for about a second.

    The first export of a process imports what does that; from the next test on its answer is kept.
    """
    for module in [module for name, module in sys.modules.items() if name.startswith(_TABLES)]:
        module.get_torchlib_ops = cache(module.get_torchlib_ops)  # type: ignore[attr-defined]
    registry = sys.modules["torch.onnx._internal.exporter._registration"].ONNXRegistry  # half of an export, each time
    registry.from_torchlib = staticmethod(cache(registry.from_torchlib))


def _let_torch_log_through_the_root() -> None:
    """Pytest attaches itself, six times a test, to each logger that does not: torch has sixty of them."""
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger) and logger.name.partition(".")[0] == _LOGGERS:
            logger.propagate = True


_PREPARE = {
    "onnxscript._framework_apis": _one_table_of_operators_for_all_exports,
    _LOGGERS: _let_torch_log_through_the_root,
}
