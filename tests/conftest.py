"""Order of the tests, which of them may run side by side, and how hard laws are tried.

In one process the fast ones come first, so that a broken rule shows before a broker starts. `make test` runs several
processes (pytest-xdist), because tests of a broker or a cluster wait most of their time: there the
longest come first, and tests that share a fixture stay together, so that each of these is made once.

Laws are about values, not about time: a loaded machine must not fail them. A law that says nothing of its own is tried
with as many examples as the profile says (FLUVIAL_LAWS names another); one whose examples take long names a smaller
number (tests/laws/effort.py), which grows with the profile.

Whatever a test draws without a seed of its own is the same in each run, alone or after others: the generators that a
process shares are seeded before every test and what it makes for its module.
"""

from __future__ import annotations

import gc
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from tests.process_wide import prepare

# readline, which pytest imports, tells every process that starts later how wide the terminal is: output is as wide as
# where there is none, with other processes beside this one or without.
os.environ.pop("COLUMNS", None)

settings.register_profile("laws", deadline=None, max_examples=25)
settings.register_profile("soak", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("FLUVIAL_LAWS", "laws"))

ORDER = ("unit", "laws", "architecture", "integration", "engine", "system")
LONGEST = (
    "system/test_recovery.py",
    "engine",
    "system/test_demo.py",
    "system/test_stack.py",
    "system/test_quickstart.py",
    "system/test_kills.py",
    "system/test_versions.py",
    "system/test_windows.py",
    "system",
    "integration",
)
"""Folders and files by the time that what stays together in them takes."""
TOGETHER = {
    "engine/": "engine",
    "system/test_versions.py": "system/shared_federation",
    "system/test_windows.py": "system/shared_federation",
}
"""Those that share a fixture of the session which takes long to make."""
APART = ("system/test_demo.py",)
"""Files whose tests share nothing."""

_SWITCH_SECONDS = sys.getswitchinterval()
_TESTS = Path(__file__).resolve().parent


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Thousands of tests and all that they import stay to the end: the collector need not look at them again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before the fixtures, also those of a module: what is made there depends on no test that ran before."""
    random.seed(0)
    np.random.seed(0)
    sys.setswitchinterval(_SWITCH_SECONDS)  # operators choose another for their process
    if (torch := sys.modules.get("torch")) is not None:
        torch.default_generator.manual_seed(0)
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(0)
    prepare()


@pytest.fixture
def only_what_is_new_is_collected() -> None:
    """For a test that collects: the process holds a million objects that it need not look at."""
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort by the folder under tests/, or beside other processes the longest first. The order within stays."""
    items.sort(key=_place_beside_others if hasattr(config, "workerinput") else _place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """What a process is given next: the first group that nobody has yet."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    config.option.loadscopereorder = False
    return Groups(config, log)


def group(nodeid: str) -> str:
    """The tests that one process runs: those of a file, unless this says otherwise."""
    path = nodeid.partition("::")[0].removeprefix("tests/")
    if path in APART:
        return nodeid
    return next((name for prefix, name in TOGETHER.items() if path.startswith(prefix)), path)


def _place(item: pytest.Item) -> int:
    folder = item.path.relative_to(_TESTS).parts[0]
    return ORDER.index(folder) if folder in ORDER else len(ORDER)


def _place_beside_others(item: pytest.Item) -> int:
    path = item.path.relative_to(_TESTS).as_posix()
    return next((place for place, prefix in enumerate(LONGEST) if path.startswith(prefix)), len(LONGEST))
