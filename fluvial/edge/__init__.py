"""The edge SDK: what a device needs to take part in a federation. Installs without Flink and without torch.

Names are loaded when they are first used: who reads models through a module of this package needs no participant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fluvial.edge.errors import EnrolmentRejected, EnrolmentTimeout, OutboxUnavailable
    from fluvial.edge.participant import Participant
    from fluvial.kafka import Transport, TransportFailed, TransportUnavailable, connect

_PLACES = {
    "EnrolmentRejected": "fluvial.edge.errors",
    "EnrolmentTimeout": "fluvial.edge.errors",
    "OutboxUnavailable": "fluvial.edge.errors",
    "Participant": "fluvial.edge.participant",
    "Transport": "fluvial.kafka",
    "TransportFailed": "fluvial.kafka",
    "TransportUnavailable": "fluvial.kafka",
    "connect": "fluvial.kafka",
}

__all__ = [
    "EnrolmentRejected",
    "EnrolmentTimeout",
    "OutboxUnavailable",
    "Participant",
    "Transport",
    "TransportFailed",
    "TransportUnavailable",
    "connect",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_PLACES[name]), name)
    globals()[name] = value
    return value
