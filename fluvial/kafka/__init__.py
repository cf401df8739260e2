"""Clients of Kafka for whoever reads or writes a federation's topics: devices, regions, auditors, operators' tools."""

from fluvial.kafka.connection import connect
from fluvial.kafka.errors import TransportFailed, TransportUnavailable
from fluvial.kafka.interface import (
    FETCH_TIMEOUT_SECONDS,
    MAX_REQUEST_BYTES,
    Bounds,
    End,
    Message,
    Place,
    Position,
    Reader,
    Start,
    Transport,
)
from fluvial.kafka.read_to_end import read_all, read_to_end
from fluvial.kafka.snapshot import Snapshot, snapshot

__all__ = [
    "FETCH_TIMEOUT_SECONDS",
    "MAX_REQUEST_BYTES",
    "Bounds",
    "End",
    "Message",
    "Place",
    "Position",
    "Reader",
    "Snapshot",
    "Start",
    "Transport",
    "TransportFailed",
    "TransportUnavailable",
    "connect",
    "read_all",
    "read_to_end",
    "snapshot",
]
