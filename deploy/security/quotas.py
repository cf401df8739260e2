"""Shares of the broker: what each principal may at most take of it (Kafka's client quotas).

A bound holds for each principal by itself; whoever exceeds it is answered later, not refused. Nothing that one
participant sends, or reads, takes the broker away from the others and from the jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from kafka.errors import KafkaError
from kafka.protocol.admin.client_quotas import AlterClientQuotasRequest, DescribeClientQuotasRequest

from deploy.security.errors import AccessError
from fluvial.identity.brokers import Brokers
from fluvial.kafka.kafka_python.admin import admin as admin_client

_EVERYBODY_ELSE = None
_USER = "user"
_BY_DEFAULT = 1
_UNBOUNDED = float(1 << 50)


class Quota(NamedTuple):
    """Bounds of a principal. Bytes are each second; request_percentage is of one of the broker's threads."""

    producer_byte_rate: float
    consumer_byte_rate: float
    request_percentage: float


UNBOUNDED = Quota(_UNBOUNDED, _UNBOUNDED, _UNBOUNDED)
PARTICIPANT = Quota(producer_byte_rate=32 << 20, consumer_byte_rate=128 << 20, request_percentage=200)


def set_quotas(admin: Brokers, everybody_else: Quota, by_principal: Mapping[str, Quota]) -> None:
    """Bounds of the principals that are named, and of everybody else. Raises AccessError when the broker refuses."""
    entities: list[tuple[str | None, Quota]] = [(_EVERYBODY_ELSE, everybody_else), *by_principal.items()]
    entries = [
        ([(_USER, name)], [(key, value, False) for key, value in quota._asdict().items()]) for name, quota in entities
    ]
    for entry in _ask(admin, AlterClientQuotasRequest(entries=entries, validate_only=False)).entries:
        if entry.error_code:
            raise AccessError(f"the broker does not take the bounds of {entry.entity}: {entry.error_message}")


def default_quota(admin: Brokers) -> Quota | None:
    """The bounds of everybody who is not named; None where there are none. Raises AccessError."""
    components = [(_USER, _BY_DEFAULT, None)]
    answer = _ask(admin, DescribeClientQuotasRequest(components=components, strict=True))
    if answer.error_code:
        raise AccessError(f"the broker does not tell its bounds: {answer.error_message}")
    for entry in answer.entries or ():
        found = {value.key: value.value for value in entry.values}
        return Quota(**{name: found.get(name, _UNBOUNDED) for name in Quota._fields})
    return None


def _ask(admin: Brokers, request: Any) -> Any:
    """kafka-python knows these requests and has no method for them yet; librdkafka does not know them."""
    try:
        client = admin_client(admin, "fluvial-quotas")
        try:
            return client._manager.run(_send, client._manager, request)
        finally:
            client.close()
    except KafkaError as error:
        raise AccessError(f"the broker cannot be asked about bounds: {error}") from error


async def _send(manager: Any, request: Any) -> Any:
    return await manager.send(request)
