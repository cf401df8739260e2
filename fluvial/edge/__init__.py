"""The edge SDK: what a device needs to take part in a federation. Installs without Flink and without torch."""

from fluvial.edge.errors import EnrolmentRejected, EnrolmentTimeout, OutboxUnavailable
from fluvial.edge.participant import Participant
from fluvial.kafka import Transport, TransportFailed, TransportUnavailable, connect

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
