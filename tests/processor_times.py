"""`make unit PYTEST_ARGS="-p tests.processor_times"`: which tests take most processor time, what they start included.

Unlike `--durations`, it says the same on a machine that does other things too, within a third or so.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator

import pytest

_PROPERTY = "processor_seconds"
_SHOWN = 40
_began = pytest.StashKey[float]()
_seconds: dict[str, float] = {}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    item.stash[_began] = _spent()
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """What a report says of a test also comes from another process."""
    try:
        return (yield)
    finally:
        item.user_properties.append((_PROPERTY, _spent() - item.stash[_began]))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, value in report.user_properties:
        if name == _PROPERTY and isinstance(value, float):
            _seconds[report.nodeid] = value


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    costliest = sorted(_seconds.items(), key=lambda item: -item[1])[:_SHOWN]
    terminalreporter.section(f"processor time: {sum(_seconds.values()):.1f} s of {len(_seconds)} tests")
    for test, seconds in costliest:
        terminalreporter.write_line(f"{seconds:6.2f} s  {test}")


def _spent() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
