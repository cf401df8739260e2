"""Fixtures of the system tests: one broker for those that need no more than a broker, one federation with a running job
for those whose tasks do not mind each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.broker.process import Broker
from tests.system.small_federation import SmallFederation


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="session")
def shared_federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallFederation]:
    # Without an id, since a participant of the first release takes part; all others of these tests have one.
    with SmallFederation(tmp_path_factory.mktemp("federation"), named=False) as small:
        small.job.start()
        small.job.wait_until_running()
        yield small
