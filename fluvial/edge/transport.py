"""The transport: its interface, and the choice of the implementation."""

from importlib.util import find_spec

from fluvial.edge.interface import (
    FETCH_TIMEOUT_SECONDS,
    MAX_REQUEST_BYTES,
    Message,
    Place,
    Position,
    Reader,
    Start,
    Take,
    Transport,
)
from fluvial.identity.federation import Federation

__all__ = [
    "FETCH_TIMEOUT_SECONDS",
    "MAX_REQUEST_BYTES",
    "Message",
    "Place",
    "Position",
    "Reader",
    "Start",
    "Take",
    "Transport",
    "connect",
]


def connect(federation: Federation, client_id: str) -> Transport:
    """The fastest installed implementation. client_id: name that the broker's logs show. Connects at first use."""
    if find_spec("confluent_kafka") is not None:
        from fluvial.edge.confluent import ConfluentTransport

        return ConfluentTransport(federation, client_id)
    from fluvial.edge.kafka_python import KafkaPythonTransport

    return KafkaPythonTransport(federation, client_id)
