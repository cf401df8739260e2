"""What a region's process writes to the region's registry, as its operator: the agreement and the task."""

from __future__ import annotations

import time
from typing import Any

from fluvial.edge.registry import Registry
from fluvial.identity.envelope import seal
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Transport, TransportUnavailable
from fluvial.wire.records import Agreement
from fluvial.wire.task_file import AgreementSpec

_SECONDS = 60.0
_CLOCK_MARGIN_MS = 60_000
_DAY_MS = 86_400_000
_OPERATOR = "operator"


def agree(
    transport: Transport, federation: Federation, key: SigningKey, wanted: AgreementSpec | None, registry: Registry
) -> None:
    """Register the task's agreement where it is missing, so that participants can enrol before the first round.

    Raises ValueError if there is one of that name with another text, TransportUnavailable.
    """
    if wanted is None:
        return
    if (known := registry.terms(wanted.name)) is not None:
        if known.agreement.text != wanted.text:
            raise ValueError(f"the agreement {wanted.name} exists with another text: give yours another name")
        return
    now_ms = time.time_ns() // 1_000_000
    agreement = Agreement(
        agreement=wanted.name,
        text=wanted.text,
        valid_from_ms=now_ms - _CLOCK_MARGIN_MS,
        valid_until_ms=now_ms + wanted.valid_days * _DAY_MS,
    )
    put(transport, federation, key, f"agreement/{wanted.name}", agreement)


def put(transport: Transport, federation: Federation, key: SigningKey, record_key: str, record: Any) -> None:
    """Sign a record as the operator, and wait until it stands in the registry. Raises TransportUnavailable."""
    topic = federation.topics.registry
    try:
        transport.produce(topic, seal(record, key, _OPERATOR), key=record_key.encode()).result(_SECONDS)
    except TimeoutError as error:
        raise TransportUnavailable(f"{topic}: no acknowledgement") from error
