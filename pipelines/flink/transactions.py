"""The transactional ids that the brokers know, through Flink's gateway: confluent-kafka can neither list nor fence."""

from __future__ import annotations

from collections.abc import Sequence

from pyflink.java_gateway import get_gateway

from fluvial.identity.brokers import Brokers
from pipelines.flink.jars import CLIENT_PACKAGE


class BrokersTransactions:
    """Needs our jar in the gateway: a job's environment brings it."""

    def __init__(self, brokers: Brokers) -> None:
        self._client = brokers.java(CLIENT_PACKAGE)

    def ids(self, prefix: str) -> list[str]:
        """Those that begin so, in whatever state they are."""
        return list(get_gateway().jvm.org.fluvial.flink.Transactions.list(self._client, prefix))

    def fence(self, ids: Sequence[str]) -> None:
        """Abort what is open under these ids, and refuse whoever used them until now."""
        get_gateway().jvm.org.fluvial.flink.Transactions.fence(self._client, list(ids))
