"""Order of the tests: the fast ones first, so that a broken rule shows before a broker starts."""

from __future__ import annotations

from pathlib import Path

import pytest

ORDER = ("unit", "laws", "architecture", "engine", "system")
_TESTS = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by the folder under tests/; what is in no known folder comes last. The order within a folder stays."""

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(_TESTS).parts[0]
        return ORDER.index(folder) if folder in ORDER else len(ORDER)

    items.sort(key=place)
