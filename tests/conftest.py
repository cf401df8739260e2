"""Order of the tests: the fast ones first, so that a broken rule shows before a broker starts; and how hard laws are
tried.

Laws are about values, not about time: a loaded machine must not fail them. A law that says nothing of its own is tried
with as many examples as the profile says (FLUVIAL_LAWS names another); one whose examples take long names a smaller
number.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("laws", deadline=None, max_examples=50)
settings.register_profile("soak", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("FLUVIAL_LAWS", "laws"))

ORDER = ("unit", "laws", "architecture", "engine", "system")
_TESTS = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by the folder under tests/; what is in no known folder comes last. The order within a folder stays."""

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(_TESTS).parts[0]
        return ORDER.index(folder) if folder in ORDER else len(ORDER)

    items.sort(key=place)
