"""The transactional ids that the brokers know, through Flink's gateway: confluent-kafka can neither list nor fence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from py4j.protocol import Py4JJavaError
from pyflink.java_gateway import get_gateway

from fluvial.identity.brokers import Brokers
from fluvial.kafka.errors import TransportUnavailable
from pipelines.flink.jars import CLIENT_PACKAGE


class BrokersTransactions:
    """Needs our jar in the gateway: a job's environment brings it. Its methods raise TransportUnavailable."""

    def __init__(self, brokers: Brokers) -> None:
        self._client = brokers.java(CLIENT_PACKAGE)

    def ids(self, prefix: str) -> list[str]:
        """Those that begin so, in whatever state they are."""
        with _answered():
            return list(get_gateway().jvm.org.fluvial.flink.Transactions.list(self._client, prefix))

    def fence(self, ids: Sequence[str]) -> None:
        """Abort what is open under these ids, and refuse whoever used them until now."""
        with _answered():
            get_gateway().jvm.org.fluvial.flink.Transactions.fence(self._client, list(ids))


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except Py4JJavaError as error:
        raise TransportUnavailable(f"the broker does not tell of its transactions: {error.java_exception}") from error
