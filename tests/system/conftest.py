"""Fixtures of the system tests: one broker for those that need no more than a broker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.local.broker import Broker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running
