"""The edge SDK: what a device needs to take part in a federation. Installs without Flink and without torch."""

from fluvial.edge.errors import (
    EnrolmentRejected,
    EnrolmentTimeout,
    OutboxUnavailable,
    TransportFailed,
    TransportUnavailable,
)
from fluvial.edge.participant import Participant
from fluvial.edge.transport import Transport, connect

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
