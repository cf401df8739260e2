"""No module logs past `fluvial.wire.foreign_text`: what somebody else wrote reaches no log as it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("fluvial", "governance", "models", "pipelines", "deploy")
HELPER = "fluvial/wire/foreign_text.py"
QUIETED = {
    "fluvial/edge/training/onnx_export.py",
    "fluvial/kafka/kafka_python/errors.py",
    "models/acceleration/onnx_quantizer.py",
}
"""Where a library's own logger is made quiet, and nothing is logged."""

WRITES = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})


def unescaped(source: str) -> Iterator[str]:
    """What a module does that could log text as it is."""
    if "log" not in source.lower():
        return  # neither getLogger nor anything that is called a logger: nothing to parse
    tree = ast.parse(source)
    helped = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and ast.unparse(node.value) == "logger(__name__)"
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        verb = node.func.attr
        if verb == "getLogger":
            yield f"line {node.lineno}: a logger that escapes nothing"
        if verb not in WRITES:
            continue
        caller = ast.unparse(node.func.value)
        if caller == "logging" or ("log" in caller.lower() and _is_a_logger(caller, helped)):
            yield f"line {node.lineno}: {caller}.{verb} is not of a logger that escapes"


def _is_a_logger(caller: str, helped: set[str]) -> bool:
    return caller.lower().strip("_") in {"log", "logger"} and caller not in helped


MODULES = [
    path.relative_to(ROOT).as_posix()
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if "node_modules" not in path.parts
]


def test_every_module_logs_by_the_helper() -> None:
    found = {name: list(unescaped((ROOT / name).read_text())) for name in MODULES if name not in {HELPER, *QUIETED}}
    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.parametrize("name", sorted(QUIETED))
def test_who_makes_a_library_quiet_logs_nothing(name: str) -> None:
    faults = list(unescaped((ROOT / name).read_text()))
    assert len(faults) == 1
    assert "a logger" in faults[0]


@pytest.mark.parametrize(
    "source",
    [
        "import logging\nlogging.warning('%s', foreign)",
        "import logging\n_log = logging.getLogger(__name__)\n_log.warning('%s', foreign)",
        "from elsewhere import _log\n_log.error(foreign)",
    ],
)
def test_the_check_finds_what_logs_text_as_it_is(source: str) -> None:
    assert list(unescaped(source))
    assert not list(unescaped("_log = logger(__name__)\n_log.warning('%s', foreign)"))
